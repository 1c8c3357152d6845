/**
 * A member whose machine is lost: a backup in a new folder, and the ledger from the others. Needs CometBFT, or Go to build it; skipped
 * where neither is.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePorts, until } from '../src/engine/cometbft/testing/local-network.ts';
import { cliMembers } from './support/cli-members.ts';
import { skipWithoutCometBft as skip } from './support/cometbft-here.ts';
import { bundleOf } from './support/reference-node.ts';
import { runHere } from './support/run-cli.ts';

const LIMIT_MS = 120_000;
const PATIENCE_MS = 60_000;
const members = cliMembers('cl-lost-');
const { at, env, json } = members;
after(() => members.remove());

const wallet = (patient: string): string => at(`${patient}.wallet`);

async function enrol(patient: string, data: string, url: string): Promise<void> {
  const code = at(`${patient}.${Date.now()}.code`);
  await json('keys', 'enrol-code', `Patient/${patient}`, '--data', data, '--out', code);
  if (!existsSync(wallet(patient))) await json('wallet', 'create', '--wallet', wallet(patient));
  await json('wallet', 'enrol', '--code-file', code, '--wallet', wallet(patient), '--node', url);
}

async function readStatus(patient: string, url: string): Promise<number> {
  const { status } = await runHere(
    ['read', `Patient/${patient}`, '--as', wallet(patient), '--node', url],
    env,
  );
  return status;
}

async function gauge(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

test('a member restores an older vault to another folder, and goes on with the others’ ledger once it says what is lost', {
  skip,
  timeout: LIMIT_MS,
}, async () => {
  const ports = await freePorts(4);
  for (const [place, name] of ['North', 'West'].entries())
    await members.prepare(name, ports.slice(2 * place, 2 * place + 2));
  const cards = ['North', 'West'].map(members.cardFile);
  const time = ['--name', 'Valley', '--time', '2026-01-01T00:00:00Z', '--out', at('network.json')];
  await json('network', 'genesis', ...cards, ...time);
  for (const name of ['North', 'West']) await json('network', 'join', at('network.json'), '--data', at(name));
  const [, west = ''] = await Promise.all(['North', 'West'].map((name) => members.start(name)));

  const patients = ['one', 'two'].map((id) => ({ resourceType: 'Patient', id, birthDate: '1980-02-03' }));
  writeFileSync(at('bundle.json'), JSON.stringify(bundleOf(patients)));
  await json('import', at('bundle.json'), '--data', at('West'));
  await enrol('one', at('West'), west);
  await json('backup', at('backup'), '--data', at('West'));
  await enrol('two', at('West'), west);
  const { organisation } = await json('govern', 'list', '--data', at('West'));
  const granted = ['--to', String(organisation), '--purpose', 'HRESCH', '--type', 'Observation'];
  await json('consent', 'grant', ...granted, '--wallet', wallet('two'), '--node', west);
  assert.equal(await readStatus('two', west), 0);
  // Stopping anchors the entry of that read.
  await members.stop('West');

  const keys = ['--keys', join(at('West'), 'keys')];
  await json('restore', at('backup'), '--data', at('Again'), ...keys);
  assert.ok(!existsSync(join(at('Again'), 'ledger')), 'the others have a newer one');
  const start = ['network', 'start', '--data', at('Again'), '--port', '0'];
  const without = await runHere(start, env);
  assert.match(without.stderr, /consensus\/config\/config\.toml is missing/);
  assert.equal(without.status, 5);

  const kept = (name: string): string => join(at('West'), 'consensus', name);
  cpSync(kept('config'), join(at('Again'), 'consensus', 'config'), { recursive: true });
  mkdirSync(join(at('Again'), 'consensus', 'data'));
  const state = join('data', 'priv_validator_state.json');
  cpSync(kept(state), join(at('Again'), 'consensus', state));
  const again = await members.start('Again', '--accept-loss');
  await until('it to read again', async () => (await readStatus('one', again)) === 0, PATIENCE_MS);
  assert.equal(await gauge(again, 'careledger_lost_patients'), 1);
  await enrol('two', at('Again'), again);
  assert.equal(await gauge(again, 'careledger_lost_patients'), 0);
});
