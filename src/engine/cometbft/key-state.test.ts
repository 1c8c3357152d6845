import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toHex } from '../../shared/index.ts';
import { enrolment, sampleSigner } from '../sample-chain.ts';
import type { CometBftEngine } from './cometbft-engine.ts';
import { runCometBft } from './cometbft-process.ts';
import { staleKeyCheck } from './key-state.ts';
import { joinWithKeyOf, votingPower } from './testing/joining-node.ts';
import { cometBftOrReason, type LocalValidator, startLocalNetwork, until } from './testing/local-network.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-key-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : { timeout: 300_000 };
const binary = 'binary' in found ? found.binary : '';

test('only a key state that is older than the ledger is looked into, and only where it is kept here', () => {
  const home = join(folder, 'home');
  for (const part of ['config', 'data']) mkdirSync(join(home, part), { recursive: true });
  const configured = (signer: string): void =>
    writeFileSync(join(home, 'config', 'config.toml'), `priv_validator_laddr = "${signer}"\n`);
  assert.deepEqual(staleKeyCheck(home, 9), []);
  configured('');
  writeFileSync(join(home, 'data', 'priv_validator_state.json'), '{"height":"7","round":0,"step":3}');
  assert.deepEqual(staleKeyCheck(home, 7), []);
  assert.deepEqual(staleKeyCheck(home, 9), ['--consensus.double_sign_check_height=2']);
  configured('tcp://127.0.0.1:26659');
  assert.deepEqual(staleKeyCheck(home, 9), []);
  configured('');
  writeFileSync(join(home, 'data', 'priv_validator_state.json'), 'nonsense');
  assert.deepEqual(staleKeyCheck(home, 9), []);
});

test(
  'a validator whose key state was restored from an old copy does not vote, and says why',
  options,
  async () => {
    const network = await startLocalNetwork(binary, { folder, size: 1 });
    const [validator] = network.validators;
    assert(validator !== undefined);
    const { engine, consensus, home } = validator;
    const state = join(home, 'data', 'priv_validator_state.json');
    const lines: string[] = [];
    try {
      const enrol = (name: string): Promise<unknown> =>
        engine.submit(enrolment(network.chain, sampleSigner(1, name)));
      await enrol('a');
      copyFileSync(state, `${state}.copy`);
      for (const name of ['b', 'c']) await enrol(name);
      await consensus.stop();
      copyFileSync(`${state}.copy`, state);
      const log = (line: string): void => void lines.push(line);
      const again = runCometBft(binary, home, log, () => engine.consensusHeight());
      try {
        const says = (): boolean =>
          lines.some((line) => line.includes('is older than votes of this validator'));
        await until('CometBFT to refuse', says);
      } finally {
        await again.stop();
      }
    } finally {
      await network.close();
    }
  },
);

test('two nodes with one validator’s key do not fork the chain', options, async () => {
  const network = await startLocalNetwork(binary, { folder: mkdtempSync(join(folder, 'four-')), size: 4 });
  const { chain, validators } = network;
  const [first, second] = validators.map(({ engine }) => engine) as [CometBftEngine, CometBftEngine];
  let close = (): Promise<void> => Promise.resolve();
  try {
    const enrol = (name: string): Promise<unknown> => second.submit(enrolment(chain, sampleSigner(1, name)));
    await enrol('a');
    const rpcUrls = validators.map(({ rpcUrl }) => rpcUrl);
    const joined = { genesis: chain.genesis, rpcUrls };
    const twin = await joinWithKeyOf(validators[0] as LocalValidator, binary, joined, folder);
    close = twin.close;
    await until('the twin to follow', () => twin.engine.head().height === second.head().height);
    assert.equal(await votingPower(twin.rpcUrl), await votingPower(rpcUrls[0] as string));
    for (const name of ['b', 'c', 'd', 'e', 'f']) await enrol(name);
    const engines = [twin.engine, first, ...validators.slice(1).map(({ engine }) => engine)];
    const { height } = second.head();
    await until('all to be level', () => engines.every((one) => one.head().height === height));
    const hashes = new Set(engines.map((one) => toHex(one.head().appHash)));
    assert.equal(hashes.size, 1);
    assert.equal(second.head().logSize, 6);
  } finally {
    await close();
    await network.close();
  }
});
