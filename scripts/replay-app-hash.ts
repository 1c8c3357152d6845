/** Prints the appHash that a sample ledger folder replays to, for comparing one Node with another. */
import { openEmbeddedEngine } from '../src/engine/index.ts';
import { sampleChain } from '../src/engine/sample-chain.ts';
import { toHex } from '../src/shared/index.ts';

const chain = sampleChain();
const folder = process.argv[2] as string;
const engine = await openEmbeddedEngine({
  folder,
  genesis: chain.genesis,
  operatorSeed: chain.operatorSeed,
  now: Date.now,
  verifyWorkers: 0,
});
console.log(toHex(engine.head().appHash));
await engine.close();
