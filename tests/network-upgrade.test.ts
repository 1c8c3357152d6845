/**
 * A node whose software does not know the rules that the members begin: it ends, whole, and says what to do. Needs CometBFT, or Go to
 * build it; skipped where neither is. What newer software does in the same folder is in src/engine/cometbft/upgrade-network.test.ts.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  CONTRACTS,
  encodeOpenProposal,
  encodeRegistration,
  MIN_ACTIVATION_BLOCKS,
  provePossession,
} from '../src/contracts/index.ts';
import { freePorts } from '../src/engine/cometbft/testing/local-network.ts';
import { createKey, type RunningNode, startNode } from '../src/node/index.ts';
import { fromHex } from '../src/shared/index.ts';
import { PASSPHRASE } from './node-fixture.ts';
import { skipWithoutCometBft as skip } from './support/cometbft-here.ts';
import { runCli, runHere } from './support/run-cli.ts';

const LIMIT_MS = 280_000;
const root = mkdtempSync(join(tmpdir(), 'cl-upgrade-'));
const at = (name: string): string => join(root, name);
const ENV = { CARELEDGER_HOME: at('home'), CARELEDGER_PASSPHRASE: PASSPHRASE };
let node: RunningNode | undefined;
after(async () => {
  await node?.close().catch(() => undefined);
  rmSync(root, { recursive: true, force: true });
});

async function done(...words: readonly string[]): Promise<void> {
  const run = await runHere(words, ENV);
  assert.equal(run.status, 0, `${words.join(' ')}: ${run.stderr}`);
}

async function found(): Promise<void> {
  const [port, rpcPort] = await freePorts(2);
  const places = [
    '--address',
    `127.0.0.1:${port}`,
    '--listen',
    `127.0.0.1:${port}`,
    '--rpc-port',
    `${rpcPort}`,
  ];
  await done('network', 'init', '--data', at('data'), '--name', 'Founder', ...places);
  const time = ['--name', 'Valley', '--time', '2026-01-01T00:00:00Z', '--out', at('network.json')];
  await done('network', 'genesis', join(at('data'), 'network-card.json'), ...time);
  await done('network', 'join', at('network.json'), '--data', at('data'));
}

/** One block more. */
async function registerSomebody({ runtime: { chainId, custodian } }: RunningNode): Promise<void> {
  const key = createKey('Somebody');
  const publicKey = fromHex(key.publicKey) as Uint8Array;
  const possessionProof = provePossession(chainId, custodian.accountId, publicKey, key.seed);
  const roles = ['physician'] as const;
  await custodian.submit('register-practitioner', [
    encodeRegistration({ publicKey, possessionProof, roles }),
  ]);
}

describe('a version of the rules that this software does not know', { skip, timeout: LIMIT_MS }, () => {
  test('ends the node before its first block, with what to do; a restart says the same', async () => {
    await found();
    node = await startNode({ dataPath: at('data'), port: 0, passphrase: PASSPHRASE, logLevel: 'silent' });
    const { custodian, engine } = node.runtime;
    const height = engine.head().height + 1 + MIN_ACTIVATION_BLOCKS;
    const change = { kind: 'activate-version', version: CONTRACTS.newestVersion + 1, height } as const;
    const draft = { lastHeight: engine.head().height + 20, change };
    await custodian.submit('open-proposal', [encodeOpenProposal(draft)]);
    while (engine.head().height < height - 1) await registerSomebody(node);
    const saysWhatToDo = new RegExp(`From block ${height} on .*install a version that knows it`);
    await assert.rejects(node.closed, (error: Error) => saysWhatToDo.test(error.message));
    assert.equal(engine.head().height, height - 1);
    assert.ok(existsSync(join(at('data'), 'seal.jsonl')), 'it was closed in order');

    const again = await runCli(
      ['network', 'start', '--data', at('data'), '--port', '0', '--log', 'error'],
      ENV,
    );
    assert.match(again.stderr, saysWhatToDo);
    assert.equal(again.status, 7);
    await done('audit', '--data', at('data'));
  });
});
