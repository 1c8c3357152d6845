/** What becomes of a consent after it was granted: replaced, and changed by a delegate. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { WalletConsent } from '../src/client/index.ts';
import { PASSPHRASE, startTestNode, type TestNode } from './node-fixture.ts';
import { type Run, runHere } from './support/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-cli-consent-'));
const at = (name: string): string => join(folder, name);
const accounts: Record<string, string> = {};

let node: TestNode;
before(async () => {
  node = await startTestNode();
  for (const name of ['ana', 'bram', 'chi']) {
    await json(['wallet', 'create', '--wallet', at(name)]);
    await json(['keys', 'enrol-code', `Patient/${name}`, '--out', at(`${name}.code`)]);
    const enrolled = await json(['wallet', 'enrol', '--wallet', at(name), '--code-file', at(`${name}.code`)]);
    accounts[name] = String(enrolled.accountId);
  }
});
after(async () => {
  await node.close();
  rmSync(folder, { recursive: true, force: true });
});

function careledger(words: string[]): Promise<Run> {
  return runHere(words, {
    CARELEDGER_DATA: node.data,
    CARELEDGER_NODE: node.url,
    CARELEDGER_HOME: folder,
    CARELEDGER_PASSPHRASE: PASSPHRASE,
  });
}

async function json(words: string[], status = 0): Promise<Record<string, unknown>> {
  const run = await careledger([...words, '--json']);
  assert.equal(run.status, status, `${words.join(' ')}: ${run.stderr}`);
  return JSON.parse(run.stdout) as Record<string, unknown>;
}

/** A consent command with a wallet. */
const consent = (whose: string, words: string[], status = 0): Promise<Record<string, unknown>> =>
  json(['consent', ...words, '--wallet', at(whose)], status);

const keyFile = (name: string): string => join(node.data, 'demo', `${name}.key.json`);
const read = async (reference: string, as: string, purpose?: string): Promise<number> =>
  (
    await careledger([
      'read',
      reference,
      '--as',
      as,
      ...(purpose === undefined ? [] : ['--purpose', purpose]),
    ])
  ).status;
const research = (reference: string): Promise<number> => read(reference, keyFile('researcher'), 'HRESCH');

async function walletConsent(whose: string, consentId: unknown): Promise<WalletConsent | undefined> {
  const { consents } = (await consent(whose, ['list'])) as { consents: WalletConsent[] };
  return consents.find((each) => each.consentId === consentId);
}

test('other terms take the place of the old ones at once, and what only the old ones permitted is denied', async () => {
  const terms = ['--to', keyFile('researcher'), '--purpose', 'HRESCH'];
  const { consentId } = await consent('ana', ['grant', ...terms, '--receipt', at('granted')]);
  const id = String(consentId);
  assert.deepEqual(
    [await research('Observation/ana-hba1c'), await research('Condition/ana-diabetes')],
    [0, 0],
  );
  const narrower = ['replace', id.slice(0, 16), ...terms, '--type', 'Condition'];
  const replaced = await consent('ana', [...narrower, '--receipt', at('replaced'), '--open']);
  assert.deepEqual([replaced.consentId, replaced.version], [consentId, 2]);
  assert.deepEqual(
    [await research('Observation/ana-hba1c'), await research('Condition/ana-diabetes')],
    [4, 0],
  );
  const kept = await walletConsent('ana', consentId);
  assert.deepEqual([kept?.version, kept?.status], [2, 'active']);
  assert.match((await careledger(['verify', at('replaced')])).stdout, /sets version 2 of .*Condition/s);

  await consent('ana', ['replace', id, ...terms, '--type', 'Observation', '--days', '7'], 0);
  assert.deepEqual(
    [await research('Observation/ana-hba1c'), await research('Condition/ana-diabetes')],
    [0, 4],
  );
  assert.equal((await consent('ana', ['revoke', id.slice(0, 16)])).revoked?.toString(), id);
  assert.equal(await research('Observation/ana-hba1c'), 4);
});

test('what cannot be replaced is refused, and changes nothing', async () => {
  const terms = ['--to', keyFile('researcher')];
  const { consentId } = await consent('ana', ['grant', ...terms]);
  const id = String(consentId);
  await consent('ana', ['replace', id], 2);
  await consent('ana', ['replace', 'ffff', ...terms], 4);
  await consent('ana', ['replace', 'f'.repeat(64), ...terms], 4);
  const another = await consent('bram', ['replace', id, ...terms], 3);
  assert.match(String(another.message), /consent of another patient/);
  await consent('bram', ['revoke', id], 3);
  // A wallet that says it may does not make it so.
  const forAna = `Patient/ana@${accounts.ana}`;
  for (const words of [['replace', id], ['grant']])
    assert.equal((await consent('bram', [...words, ...terms, '--for', forAna], 3)).error, 'forbidden');
  await consent('bram', ['grant', ...terms, '--for', 'ana'], 2);
  assert.equal((await walletConsent('ana', consentId))?.version, 1);
  assert.equal(await research('Observation/ana-hba1c'), 0);

  await consent('ana', ['revoke', id]);
  assert.match(String((await consent('ana', ['replace', id, ...terms], 3)).message), /revoked already/);
  assert.match(String((await consent('ana', ['revoke', id], 3)).message), /revoked already/);
  await consent('ana', ['replace', id.slice(0, 16), ...terms], 4);
});

test('a delegate reads as the patient lets them, consents for the patient, and is dismissed at once', async () => {
  const reads = () => read('Observation/ana-hba1c', at('bram'));
  assert.equal(await reads(), 4);
  const named = await consent('ana', ['delegate', '--to', accounts.bram as string]);
  assert.deepEqual(named, { delegate: accounts.bram, for: `Patient/ana@${accounts.ana}` });
  assert.equal(await reads(), 0);
  assert.equal(await read('Observation/bram-weight', at('ana')), 4, 'it goes one way');
  assert.equal(await read('Observation/ana-hba1c', at('chi')), 4);
  assert.deepEqual(await consent('ana', ['delegate', '--to', accounts.bram as string]), named, 'said twice');
  const listed = await careledger(['consent', 'list', '--wallet', at('ana')]);
  assert.match(listed.stdout, new RegExp(`^${accounts.bram?.slice(0, 16)} +active +delegate$`, 'm'));

  const terms = ['--to', keyFile('researcher'), '--purpose', 'HRESCH'];
  const { consentId } = await consent('bram', ['grant', ...terms, '--for', String(named.for)]);
  assert.equal(await research('Observation/ana-hba1c'), 0);
  const id = String(consentId);
  await consent('bram', ['replace', id.slice(0, 16), ...terms, '--type', 'Condition']);
  assert.deepEqual(
    [await research('Observation/ana-hba1c'), await research('Condition/ana-diabetes')],
    [4, 0],
  );
  assert.deepEqual((await consent('bram', ['revoke', '--all'])).revoked, [], 'all of his own');
  await consent('ana', ['replace', id, ...terms, '--type', 'Observation']);
  assert.equal(await research('Observation/ana-hba1c'), 0, 'the patient changes what the delegate signed');

  await consent('ana', ['dismiss', accounts.bram?.slice(0, 16) as string]);
  assert.equal(await reads(), 4);
  await consent('bram', ['revoke', id.slice(0, 16)], 3);
  assert.equal(await research('Observation/ana-hba1c'), 0, 'what the delegate signed stands');
  await consent('ana', ['revoke', '--all']);
  assert.equal(await research('Observation/ana-hba1c'), 4);
  assert.deepEqual((await consent('ana', ['list'])).delegates, []);
});

test('only a patient of the hospital becomes a delegate, and only a delegate is dismissed', async () => {
  for (const [to, status] of [
    [accounts.ana, 2],
    ['nobody', 2],
    ['0'.repeat(64), 4],
    [keyFile('clinician'), 4],
  ] as [string, number][])
    await consent('ana', ['delegate', '--to', to], status);
  await consent('ana', ['dismiss', accounts.chi as string], 4);
  await consent('ana', ['dismiss', 'nobody'], 2);
  assert.deepEqual((await consent('ana', ['list'])).delegates, []);
});

test('a wallet of before there were delegates opens; a consent that another wallet revoked holds up no other', async () => {
  const terms = ['--to', keyFile('researcher'), '--purpose', 'HRESCH'];
  await consent('chi', ['grant', ...terms]);
  const { delegates: _, ...older } = JSON.parse(readFileSync(at('chi'), 'utf8')) as Record<string, unknown>;
  writeFileSync(at('chi-copy'), JSON.stringify(older), { mode: 0o600 });
  await consent('chi-copy', ['revoke', '--all']);
  const { consentId } = await consent('chi', ['grant', ...terms]);
  const run = await careledger(['consent', 'revoke', '--all', '--wallet', at('chi'), '--json']);
  assert.match(run.stderr, /^[0-9a-f]{16} was revoked before\.$/m);
  assert.deepEqual(JSON.parse(run.stdout), { revoked: [consentId], failed: [] });
  assert.equal(await research('Condition/chi-asthma'), 4);
});

test('each consent is revoked at the node of its hospital, and one that cannot be keeps no other in force', async () => {
  await consent('chi', ['grant', '--to', keyFile('researcher'), '--purpose', 'HRESCH']);
  const stored = JSON.parse(readFileSync(at('chi'), 'utf8')) as Record<'enrolments' | 'consents', object[]>;
  const elsewhere = { custodian: 'cc'.repeat(32) };
  const consentId = 'dd'.repeat(32);
  const [enrolments, consents] = [stored.enrolments, stored.consents];
  enrolments.push({ ...enrolments[0], ...elsewhere, baseUrl: 'http://127.0.0.1:1' });
  consents.unshift({ ...consents.at(-1), ...elsewhere, consentId });
  writeFileSync(at('chi'), JSON.stringify(stored));
  const revokeAll = async (url: string): Promise<[ended: string[], kept: string[], run: Run]> => {
    const run = await careledger([
      'consent',
      'revoke',
      '--all',
      '--wallet',
      at('chi'),
      '--node',
      url,
      '--json',
    ]);
    const [answer = ''] = run.stdout.split('\n');
    const { revoked = [], failed = [] } = JSON.parse(answer) as Record<string, string[]>;
    return [revoked, failed, run];
  };
  const [ended, kept, run] = await revokeAll('http://127.0.0.1:2');
  assert.deepEqual([ended.length, kept, run.status], [1, [consentId], 6], run.stderr);
  assert.match(run.stderr, /^d{16} was not revoked: .*\n1 could not be revoked, and may be in force still/m);
  assert.equal(await research('Condition/chi-asthma'), 4);
  const [, still] = await revokeAll(node.url);
  assert.deepEqual(still, [consentId], 'the node that answers is of another hospital');
});
