import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CONTRACTS, encodeOpenProposal, MIN_ACTIVATION_BLOCKS } from '../contracts/index.ts';
import { RESULT_CODES } from '../ledger/index.ts';
import { AppError } from '../shared/index.ts';
import { openCometBftEngine } from './cometbft/cometbft-engine.ts';
import { AbciClient } from './cometbft/testing/abci-client.ts';
import { PlayedConsensus } from './cometbft/testing/played-consensus.ts';
import { openEmbeddedEngine } from './embedded-engine.ts';
import type { Engine } from './engine.ts';
import {
  enrolment,
  SAMPLE_TIME_MS,
  type SampleChain,
  sampleChain,
  sampleSigner,
  signedAction,
} from './sample-chain.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-upgrade-'));
/** Closed in every case, or a test that fails would leave the process running. */
const open: { close(): unknown }[] = [];
function tracked<Resource extends { close(): unknown }>(resource: Resource): Resource {
  open.push(resource);
  return resource;
}
after(async () => {
  for (const one of open) await one.close();
  rmSync(root, { recursive: true, force: true });
});

const START = MIN_ACTIVATION_BLOCKS + 1;
const NEWER_SOFTWARE = { ...CONTRACTS, newestVersion: 2 };
let patients = 0;

const needsUpgrade = (error: unknown): boolean =>
  error instanceof AppError &&
  error.code === 'upgrade-needed' &&
  error.message.includes(`block ${START}`) &&
  error.message.includes('version 2');

/** The only member decides for version 2, as soon as may be. */
function decision(chain: SampleChain): Uint8Array {
  const change = { kind: 'activate-version', version: 2, height: START } as const;
  return signedAction(chain, chain.custodian, 'open-proposal', [
    encodeOpenProposal({ lastHeight: 20, change }),
  ]);
}

function another(chain: SampleChain): Uint8Array {
  patients += 1;
  return enrolment(chain, sampleSigner(1, `patient ${patients}`));
}

describe('a version that this software does not know', () => {
  test('halts the embedded engine before its first block; newer software goes on, and the older one opens no more', async () => {
    const chain = sampleChain();
    const folder = join(root, 'embedded');
    const { genesis, operatorSeed } = chain;
    const options = { folder, genesis, operatorSeed, now: () => SAMPLE_TIME_MS + 5000, verifyWorkers: 0 };
    const older = tracked(await openEmbeddedEngine(options));
    assert.equal((await older.submit(decision(chain))).code, RESULT_CODES.ok);
    while (older.head().height < START - 1) await older.submit(another(chain));
    const waiting = another(chain);
    await assert.rejects(older.submit(waiting), needsUpgrade);
    assert.equal(older.head().height, START - 1, 'nothing was recorded');
    await older.close();

    const newer = tracked(await openEmbeddedEngine({ ...options, contracts: NEWER_SOFTWARE }));
    assert.equal((await newer.submit(waiting)).height, START);
    await newer.close();
    await assert.rejects(openEmbeddedEngine(options).then(tracked), needsUpgrade);
  });

  test('halts the cometbft engine before its first block, and newer software goes on from there', async () => {
    const chain = sampleChain();
    const folder = join(root, 'comet');
    const log = (): void => undefined;
    const { genesis, operatorSeed: nodeSeed } = chain;
    const options = { folder, genesis, nodeSeed, rpcUrl: 'http://127.0.0.1:1', log, verifyWorkers: 0 };
    const older = tracked(await openCometBftEngine(options));
    const client = tracked(await AbciClient.open(join(folder, 'abci.sock')));
    const consensus = new PlayedConsensus(client, chain);
    await consensus.initChain();
    assert.deepEqual((await consensus.block([decision(chain)])).codes, [RESULT_CODES.ok]);
    while (older.head().height < START - 1) await consensus.block([another(chain)]);
    const waiting = another(chain);
    await assert.rejects(older.submit(waiting), needsUpgrade);
    await consensus.block([]);
    await assert.rejects(
      consensus.finalize([waiting]),
      /version 2/,
      'a decided block is not run by other rules',
    );
    client.close();
    await older.close();

    const newer = tracked(await openCometBftEngine({ ...options, contracts: NEWER_SOFTWARE }));
    const again = new PlayedConsensus(tracked(await AbciClient.open(join(folder, 'abci.sock'))), chain);
    again.height = (await again.info()).height;
    await again.block([waiting]);
    await untilHeight(newer, START);
    again.client.close();
    await newer.close();
    await assert.rejects(openCometBftEngine(options).then(tracked), needsUpgrade);
  });
});

async function untilHeight(engine: Engine, height: number): Promise<void> {
  while (engine.head().height < height)
    await new Promise<void>((resolve) => void engine.onCommit(() => resolve()));
}
