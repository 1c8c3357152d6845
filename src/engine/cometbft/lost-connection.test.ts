import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { toHex } from '../../shared/index.ts';
import { consentGrant, enrolment, sampleChain, sampleSigner } from '../sample-chain.ts';
import { type CometBftEngine, openCometBftEngine } from './cometbft-engine.ts';
import { AbciClient } from './testing/abci-client.ts';
import { holdAppends } from './testing/held-appends.ts';
import { PlayedConsensus } from './testing/played-consensus.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-lost-'));
after(() => rmSync(root, { recursive: true, force: true }));

type Setting = {
  readonly engine: CometBftEngine;
  /** The consensus engine that was started again, on a new connection, while the disk holds the write of block 2 up. */
  readonly restarted: PlayedConsensus;
  readonly block: Uint8Array[];
  readonly appHash: string;
  /** The disk goes on, after all that was asked for has arrived. */
  readonly release: () => Promise<void>;
};

/** A consensus engine that is killed while its second block is being written, and what it finds when it is started again. */
async function withKilledInCommit(t: TestContext, body: (setting: Setting) => Promise<void>): Promise<void> {
  const chain = sampleChain();
  const { genesis, operatorSeed: nodeSeed } = chain;
  const folder = mkdtempSync(join(root, 'node-'));
  const log = (): void => undefined;
  const options = { folder, genesis, nodeSeed, rpcUrl: 'http://127.0.0.1:1', log, verifyWorkers: 0 };
  const engine = await openCometBftEngine(options);
  const connect = async (height: number): Promise<PlayedConsensus> => {
    const consensus = new PlayedConsensus(await AbciClient.open(join(folder, 'abci.sock')), chain);
    consensus.height = height;
    return consensus;
  };
  const killed = await connect(0);
  await killed.initChain();
  const patient = sampleSigner(1, 'patient');
  await killed.block([enrolment(chain, patient)]);
  const block = [consentGrant(chain, patient), consentGrant(chain, patient)];
  const { appHash } = await killed.finalize(block);
  const held = holdAppends(t);
  const unanswered = assert.rejects(killed.commit(), /closed/);
  await held.begun;
  killed.client.close();
  await unanswered;
  const restarted = await connect(1);
  const release = async (): Promise<void> => {
    const other = await AbciClient.open(join(folder, 'abci.sock'));
    await other.ask({ echo: { message: 'all that came before has been read' } });
    other.close();
    held.release();
  };
  try {
    await body({ engine, restarted, block, appHash, release });
    await restarted.block([consentGrant(chain, patient)]);
  } finally {
    held.release();
    restarted.client.close();
    await engine.close();
  }
  const before = engine.head();
  const reopened = await openCometBftEngine(options);
  assert.deepEqual(reopened.head(), before);
  await reopened.close();
}

describe('a consensus engine that is killed while a block is being written, and started again', () => {
  test('is told of the block when it is there, and not asked for it again', (t) =>
    withKilledInCommit(t, async ({ restarted, appHash, release }) => {
      const told = restarted.info();
      await release();
      assert.deepEqual(await told, { height: 2, appHash });
      restarted.height = 2;
    }));

  test('that gives the block again without asking is told that it is there', (t) =>
    withKilledInCommit(t, async ({ engine, restarted, block, appHash, release }) => {
      const refused = assert.rejects(restarted.finalize(block), /at block 2 and the ledger after block 2/);
      await release();
      await refused;
      assert.deepEqual([engine.head().height, toHex(engine.head().appHash)], [2, appHash]);
      restarted.height = 2;
    }));
});
