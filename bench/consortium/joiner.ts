/** A node that joins by state sync, in a process of its own so that its memory can be told. Says when it is level, and how much it took. */
import { joinByStateSync } from '../../src/engine/cometbft/testing/joining-node.ts';
import { decodeGenesis } from '../../src/ledger/index.ts';
import { fromHex } from '../../src/shared/index.ts';

export type JoinOrder = {
  readonly binary: string;
  readonly folder: string;
  readonly genesis: string;
  readonly rpcUrls: readonly string[];
  readonly height: number;
};
export type JoinReport = { readonly seconds: number; readonly megabytes: number; readonly appHash: string };

const POLL_MS = 50;
const BYTES_A_MEGABYTE = 1e6;

const { binary, folder, genesis, rpcUrls, height } = JSON.parse(process.argv[2] ?? '') as JoinOrder;
const decoded = decodeGenesis(fromHex(genesis) ?? new Uint8Array());
if (!decoded.ok) throw decoded.error;
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const startedMs = performance.now();
const joined = await joinByStateSync(binary, { genesis: decoded.value, rpcUrls }, folder, log);
const atStart = process.memoryUsage.rss();
let most = atStart;
while (joined.engine.head().height < height) {
  most = Math.max(most, process.memoryUsage.rss());
  await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
const report: JoinReport = {
  seconds: (performance.now() - startedMs) / 1000,
  megabytes: (most - atStart) / BYTES_A_MEGABYTE,
  appHash: Buffer.from(joined.engine.head().appHash).toString('hex'),
};
await joined.close();
console.log(JSON.stringify(report));
