import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { toHex } from '../../shared/index.ts';
import { openEmbeddedEngine } from '../embedded-engine.ts';
import type { Engine } from '../engine.ts';
import type { SampleChain } from '../sample-chain.ts';
import { cometBftOrReason, type LocalNetwork, startLocalNetwork, until } from './testing/local-network.ts';
import { outcomeOf, randomRounds, submitRounds } from './testing/random-rounds.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-comet-'));
after(() => rmSync(root, { recursive: true, force: true }));
const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : { timeout: 300_000 };
const binary = 'binary' in found ? found.binary : '';

/** Gives the blocks of an engine to a new embedded one, at the times they have, and says how far both agree. */
async function assertEmbeddedAgrees(
  engine: Engine,
  chain: SampleChain,
  rounds: readonly Uint8Array[][],
  outcomes: readonly string[],
): Promise<void> {
  let nowMs = 0;
  const embedded = await openEmbeddedEngine({
    folder: mkdtempSync(join(root, 'embedded-')),
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now: () => nowMs,
    verifyWorkers: 0,
  });
  try {
    for await (const { block, results, head } of engine.blocks()) {
      nowMs = block.timeMs;
      const committed = await Promise.all(block.transactions.map((bytes) => embedded.submit(bytes)));
      assert.deepEqual(
        committed.map(({ height, index, code }) => [height, index, code]),
        results.map(({ code }, index) => [block.height, index, code]),
      );
      const same = embedded.head();
      assert.equal(toHex(same.stateRoot), toHex(head.stateRoot), `state root of block ${block.height}`);
      assert.equal(toHex(same.appHash), toHex(head.appHash), `appHash of block ${block.height}`);
    }
    const again: string[] = [];
    for (const bytes of rounds.flat()) again.push(await outcomeOf(embedded.submit(bytes)));
    assert.deepEqual(again, outcomes, 'both engines say the same of every transaction');
  } finally {
    await embedded.close();
  }
}

async function withNetwork(
  size: number,
  body: (network: LocalNetwork, chain: SampleChain) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(root, `network-${size}-`));
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const network = await startLocalNetwork(binary, { folder, size, log });
  try {
    await body(network, network.chain);
    assert.deepEqual(lines, [], 'nothing went wrong on the way');
  } finally {
    await network.close();
  }
}

describe('the cometbft engine', options, () => {
  test('gives random transactions the results, roots and appHash of the embedded engine, on one validator', () =>
    withNetwork(1, async ({ validators: [validator] }, chain) => {
      const engine = validator?.engine as Engine;
      const rounds = randomRounds(chain, 20, 50, 7);
      const outcomes = await submitRounds([engine], rounds);
      assert.deepEqual([...new Set(outcomes)].sort(), [
        'malformed-transaction',
        'recorded 0',
        'recorded 202',
        'recorded 205',
        'refused bad-signature',
        'refused expired',
        'refused sequence-gap',
        'refused sequence-replayed',
        'refused unknown-signer',
        'refused wrong-chain',
      ]);
      await assertEmbeddedAgrees(engine, chain, rounds, outcomes);
    }));

  test('gives them on four validators too, whichever of them is asked', () =>
    withNetwork(4, async ({ validators }, chain) => {
      const engines = validators.map(({ engine }) => engine);
      const rounds = randomRounds(chain, 20, 50, 8);
      const outcomes: string[] = [];
      for (const [index, round] of rounds.entries()) {
        const asked = engines[index % engines.length] as Engine;
        outcomes.push(...(await submitRounds([asked], [round])));
        const { height } = asked.head();
        await until('every node at the height', () => engines.every((one) => one.head().height === height));
      }
      const hashes = new Set(engines.map((one) => toHex(one.head().appHash)));
      assert.equal(hashes.size, 1);
      await assertEmbeddedAgrees(engines[3] as Engine, chain, rounds, outcomes);
    }));
});
