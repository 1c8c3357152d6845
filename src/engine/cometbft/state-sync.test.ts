import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toHex } from '../../shared/index.ts';
import { enrolment, sampleSigner } from '../sample-chain.ts';
import { SnapshotSource } from './snapshot/snapshot-source.ts';
import { earliestBlock, joinByStateSync } from './testing/joining-node.ts';
import { cometBftOrReason, startLocalNetwork, until } from './testing/local-network.ts';

const PATIENCE_MS = 150_000;
const folder = mkdtempSync(join(tmpdir(), 'careledger-sync-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : { timeout: 300_000 };
const binary = 'binary' in found ? found.binary : '';

/** From now on one of the nodes, the first that is asked, sends false chunks. */
function letOneLie(): { count: () => number; stop: () => void } {
  const { load } = SnapshotSource.prototype;
  let liar: SnapshotSource | undefined;
  let lies = 0;
  SnapshotSource.prototype.load = async function (this: SnapshotSource, height, chunk): Promise<Uint8Array> {
    liar ??= this;
    const bytes = await load.call(this, height, chunk);
    if (this !== liar) return bytes;
    lies += 1;
    return bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte));
  };
  const stop = (): void => {
    SnapshotSource.prototype.load = load;
  };
  return { count: () => lies, stop };
}

test(
  'a node joins by state sync although a peer sends false chunks, and follows the chain from there',
  options,
  async () => {
    const network = await startLocalNetwork(binary, { folder, size: 2 });
    const lines: string[] = [];
    const lying = letOneLie();
    let close = (): Promise<void> => Promise.resolve();
    try {
      const { engine } = network.validators[0] as (typeof network.validators)[number];
      const enrol = (name: string): Promise<unknown> =>
        engine.submit(enrolment(network.chain, sampleSigner(1, name)));
      for (const name of ['a', 'b', 'c']) await enrol(name);
      const joined = {
        genesis: network.chain.genesis,
        rpcUrls: network.validators.map(({ rpcUrl }) => rpcUrl),
      };
      const joiner = await joinByStateSync(binary, joined, folder, (line) => void lines.push(line));
      close = joiner.close;
      const isLevel = (): boolean => joiner.engine.head().height === engine.head().height;
      await until('the snapshot to be taken over', isLevel, PATIENCE_MS);
      await enrol('d');
      await until('the joined node to follow', isLevel, PATIENCE_MS);
      assert.equal(toHex(joiner.engine.head().appHash), toHex(engine.head().appHash));
      assert.ok(((await earliestBlock(joiner.rpcUrl)) ?? 0) > 1, 'its CometBFT begins after the snapshot');
      assert.ok(lying.count() > 0, 'one peer has lied');
      assert.ok(
        lines.some((line) => line.includes('is not what the consortium agreed on')),
        lines.join('\n'),
      );
      assert.deepEqual((await joiner.engine.block(1))?.block, (await engine.block(1))?.block);
    } finally {
      lying.stop();
      await close();
      await network.close();
    }
  },
);
