/**
 * A record that is sealed to its patient, from the write to the wallet that opens it. Nobody else gets anything of it, and the node
 * never has its content or its key again.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Bundle, OperationOutcome } from '@medplum/fhirtypes';
import {
  createNodeClient,
  createWallet,
  enrolmentRequest,
  type NodeClient,
  openSealedCopy,
  signDelegation,
  signGrant,
  type Wallet,
} from '../src/client/index.ts';
import { encodeRegistration, provePossession } from '../src/contracts/index.ts';
import { decodeAccessEntry } from '../src/fhir/index.ts';
import { accountIdOf, deriveSealingKey, publicKeyOf } from '../src/identity/index.ts';
import { eraseAndRecord } from '../src/node/admin/erasure.ts';
import {
  canonicalJson,
  fromBase64,
  fromUtf8,
  parseSealedCopy,
  toBase64,
  toHex,
  utf8,
} from '../src/shared/index.ts';
import { sessionToken, startTestNode, type TestNode } from './node-fixture.ts';
import { consentTo } from './support/research-consent.ts';
import { type Run, runHere } from './support/run-cli.ts';

const CANARY = 'what nobody but the patient may know';
const SEALED = { system: 'urn:careledger:sensitivity', code: 'sealed' };
const folder = mkdtempSync(join(tmpdir(), 'careledger-sealed-'));

let node: TestNode;
let client: NodeClient;
let chi: Wallet;
/** What the FHIR door answered the clinician who wrote it. */
let written: Record<string, unknown>;

before(async () => {
  node = await startTestNode();
  client = createNodeClient({ baseUrl: node.url });
  chi = await enrolled('chi', 'chi.json');
  await grant(['collect', 'correct']);
  await write('once-open', {});
  await write('once-open', { meta: { security: [SEALED] } });
  written = await write('secret', { meta: { security: [SEALED] } });
});
after(async () => {
  await node.close();
  rmSync(folder, { recursive: true, force: true });
});

async function enrolled(patientId: string, file: string): Promise<Wallet> {
  const { enrolment, custodian, chainId } = node.node.runtime;
  const wallet = await createWallet(join(folder, file));
  const { code } = await enrolment.issueCode(patientId);
  const bound = await client.enrol(enrolmentRequest(wallet.seed, custodian.accountId, chainId, code));
  const place = { chainId: toHex(chainId), custodian: custodian.accountHex, baseUrl: node.url };
  await wallet.saveEnrolment({ ...place, ...bound });
  return wallet;
}

const keyOf = (wallet: Wallet) => wallet.keyAt(node.node.runtime.custodian.accountId);

function tokenOf(wallet: Wallet): Promise<string> {
  const { accountId, seed } = keyOf(wallet);
  return sessionToken(node.url, { accountId: toHex(accountId), seed }, 'PATRQT');
}

/** Lets the demo clinician do this with what is sealed. */
async function grant(actions: readonly string[]): Promise<void> {
  const consent = consentTo(node.demoKey('clinician').accountId, 'chi', 'TREAT');
  const system = 'http://terminology.hl7.org/CodeSystem/consentaction';
  const action = actions.map((code) => ({ coding: [{ system, code }] }));
  const provision = { ...(consent.provision as object), action, securityLabel: [SEALED] };
  const place = await client.signingPlace(keyOf(chi).accountId);
  await client.submitConsent(signGrant({ ...consent, provision }, keyOf(chi), place));
}

async function write(id: string, extra: Record<string, unknown>): Promise<Record<string, unknown>> {
  const observation = {
    resourceType: 'Observation',
    id,
    status: 'final',
    code: { text: CANARY },
    subject: { reference: 'Patient/chi' },
    ...extra,
  };
  const answer = await node.fhir(`Observation/${id}`, await node.token('clinician', 'TREAT'), {
    method: 'PUT',
    body: JSON.stringify(observation),
    headers: { 'content-type': 'application/fhir+json' },
  });
  assert.ok(answer.ok, `${answer.status}`);
  return (await answer.json()) as Record<string, unknown>;
}

async function ask(
  place: string,
  token: string,
): Promise<{ status: number; text: string; promise: string | null }> {
  const answer = await fetch(`${node.url}/wallet/sealed${place}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const promise = answer.headers.get('careledger-log-promise');
  return { status: answer.status, text: await answer.text(), promise };
}

function openWith(wallet: Wallet, text: string) {
  const key = deriveSealingKey(wallet.seed, node.node.runtime.custodian.accountId);
  return openSealedCopy(key, parseSealedCopy(utf8(text)));
}

/** The newest entries of the patient's log: who, of which record, and how it was decided. */
async function newest(limit: number): Promise<string[]> {
  const entries = await node.node.runtime.vault.accessLog.listBySubject('chi', { limit });
  return entries.map(({ bytes }) => {
    const { actor, effect, interaction, records } = decodeAccessEntry(bytes as Uint8Array);
    const [{ id, version } = { id: '', version: 0 }] = records;
    return `${actor.accountId} ${interaction} ${id}/${version} ${effect}`;
  });
}

function cli(...words: string[]): Promise<Run> {
  return runHere(words, { CARELEDGER_NODE: node.url, CARELEDGER_HOME: folder });
}

test('the patient opens what the node cannot read, and the access is promised and logged', async () => {
  const token = await tokenOf(chi);
  assert.equal((await node.fhir('Observation/secret', token)).status, 403, 'no door shows it');
  const copy = await ask('/Observation/secret', token);
  assert.equal(copy.status, 200, copy.text);
  assert.ok(
    copy.promise?.split(',').every((one) => one.length > 100),
    'a promise to log',
  );
  assert.deepEqual(await newest(1), [`${toHex(keyOf(chi).accountId)} read secret/1 permit`]);
  assert.doesNotMatch(copy.text, new RegExp(CANARY));
  const { plaintext, salt } = await openWith(chi, copy.text);
  assert.equal(fromUtf8(plaintext), canonicalJson(written));
  assert.equal(salt.length, 32);
  for (const bytes of Object.values(parseSealedCopy(utf8(copy.text))))
    if (bytes instanceof Uint8Array) assert.ok(!Buffer.from(bytes).includes(CANARY));
  assert.doesNotMatch(node.logged(), new RegExp(CANARY));
});

test('a search and a history go on past what is sealed, and say so', async () => {
  const token = await tokenOf(chi);
  const found = (await (await node.fhir('Observation', token)).json()) as Bundle;
  const ids = found.entry?.map(({ resource }) => resource?.id);
  assert.ok(found.total === 3 && ids?.includes('chi-peak-flow') && !ids.includes('secret'), String(ids));
  const outcome = found.entry?.at(-1)?.resource as OperationOutcome;
  assert.match(outcome.issue[0]?.details?.text ?? '', /sealed: 2\. GET \/wallet\/sealed/);
  const history = await node.fhir('Observation/once-open/_history', token);
  const { entry } = (await history.json()) as Bundle;
  assert.deepEqual(
    entry?.map(({ resource, response }) => [response?.etag, resource?.id]),
    [
      ['W/"2"', undefined],
      ['W/"1"', 'once-open'],
    ],
  );
  const clinician = await node.fhir('Observation?_id=secret', await node.token('clinician', 'TREAT'));
  const { total, entry: seen } = (await clinician.json()) as Bundle;
  assert.deepEqual([total, seen ?? []], [0, []], 'nobody else hears of it');
});

test('an older version, and one from before it was sealed', async () => {
  const token = await tokenOf(chi);
  const { plaintext } = await openWith(chi, (await ask('/Observation/once-open/2', token)).text);
  assert.match(fromUtf8(plaintext) ?? '', new RegExp(CANARY));
  assert.deepEqual(await newest(1), [`${toHex(keyOf(chi).accountId)} vread once-open/2 permit`]);
  assert.equal((await node.fhir('Observation/once-open/_history/1', token)).status, 200);
  for (const version of ['1', '3', '0', 'x', '99999999999'])
    assert.equal((await ask(`/Observation/once-open/${version}`, token)).status, 404, version);
});

test('nobody else learns that it is there, whatever they may do, and each who tried is in the log', async () => {
  const [ana, bram] = [await enrolled('ana', 'ana.json'), await enrolled('bram', 'bram.json')];
  const delegation = signDelegation(
    'appoint-delegate',
    keyOf(ana).accountId,
    await client.signingPlace(keyOf(chi).accountId),
    keyOf(chi),
  );
  await client.submit(delegation.transaction);
  await grant(['access']);
  const clinician = await node.token('clinician', 'TREAT');
  const seen = await node.fhir('Observation/secret', clinician);
  assert.match(await seen.text(), /record-sealed/, 'the consent lets the clinician know of it');
  const others: [accountId: string, token: string][] = [
    [node.demoKey('clinician').accountId, clinician],
    [node.demoKey('researcher').accountId, await node.token('researcher', 'HRESCH')],
    [toHex(keyOf(bram).accountId), await tokenOf(bram)],
    [toHex(keyOf(ana).accountId), await tokenOf(ana)],
    await device(),
  ];
  for (const [accountId, token] of others) {
    const absent = await ask('/Observation/never-written', token);
    assert.equal(absent.status, 404);
    assert.deepEqual(await ask('/Observation/secret', token), absent, accountId);
    assert.deepEqual(await ask('/Observation/secret/1', token), absent, accountId);
    assert.deepEqual(await newest(2), [
      `${accountId} vread secret/1 deny`,
      `${accountId} read secret/1 deny`,
    ]);
  }
  assert.equal((await ask('', clinician)).status, 403);
  assert.deepEqual(JSON.parse((await ask('', await tokenOf(bram))).text), { records: [] });
  assert.equal((await fetch(`${node.url}/wallet/sealed/Observation/secret`)).status, 401);
});

async function device(): Promise<[accountId: string, token: string]> {
  const { chainId, custodian } = node.node.runtime;
  const seed = new Uint8Array(32).fill(7);
  const publicKey = publicKeyOf(seed);
  const possessionProof = provePossession(chainId, custodian.accountId, publicKey, seed);
  const registration = encodeRegistration({ publicKey, possessionProof, roles: ['medical-device'] });
  await custodian.submit('register-device', [registration]);
  const accountId = toHex(accountIdOf(publicKey));
  return [accountId, await sessionToken(node.url, { accountId, seed }, 'TREAT')];
}

test('a copy with a byte changed in any member does not open', async () => {
  const { text } = await ask('/Observation/secret', await tokenOf(chi));
  await openWith(chi, text);
  const members = JSON.parse(text) as Record<string, string | number>;
  for (const [name, value] of Object.entries(members)) {
    const changed = JSON.stringify({ ...members, [name]: flipped(value) });
    const code = name === 'format' ? 'malformed-json' : 'damaged';
    await assert.rejects(async () => openWith(chi, changed), { code }, name);
    const { [name]: _dropped, ...rest } = members;
    assert.throws(() => parseSealedCopy(utf8(JSON.stringify(rest))), { code: 'malformed-json' }, name);
  }
  for (const strange of ['null', '[]', '"x"', JSON.stringify({ ...members, more: 1 })])
    assert.throws(() => parseSealedCopy(utf8(strange)), { code: 'malformed-json' });
  await assert.rejects(
    openSealedCopy(new Uint8Array(32).fill(3), parseSealedCopy(utf8(text))),
    { code: 'damaged' },
    'another key',
  );
});

/** Another value of the same shape. */
function flipped(value: string | number): string | number {
  if (typeof value === 'number') return value + 1;
  const bytes = /^[0-9a-f]{64}$/.test(value) || value.length < 20 ? undefined : fromBase64(value);
  if (bytes === undefined) return value.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'));
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  return toBase64(bytes);
}

test('the command line opens it, lists what is sealed, and says what a new wallet cannot open', async () => {
  const as = ['--as', chi.file];
  const read = await cli('read', 'Observation/secret', ...as);
  assert.equal(read.status, 0, read.stderr);
  assert.deepEqual(JSON.parse(read.stdout), written);
  assert.match(read.stderr, /^Opened here, with the wallet[^\n]*\n$/);
  const version = await cli('read', 'Observation/once-open/_history/2', ...as, '--json');
  assert.equal((JSON.parse(version.stdout) as { id: string }).id, 'once-open', version.stderr);
  const listed = await cli('wallet', 'sealed', '--wallet', chi.file);
  assert.match(listed.stdout, /^Observation\/secret\/_history\/1 .*\nObservation\/once-open\/_history\/2 /);

  const next = await enrolled('chi', 'chi-2.json');
  const refused = await cli('read', 'Observation/secret', '--as', next.file);
  assert.equal(refused.status, 3);
  assert.match(
    refused.stderr,
    new RegExp(`sealed to the account ${toHex(keyOf(chi).accountId)}.*--old-wallet`),
  );
  const opened = await cli('read', 'Observation/secret', '--as', next.file, '--old-wallet', chi.file);
  assert.deepEqual(JSON.parse(opened.stdout), written, opened.stderr);
  const without = await cli('read', 'Observation/secret', ...as);
  assert.equal(without.status, 3, 'the account of the old wallet is not the patient any more');
  chi = next;
});

test('after an erasure there is nothing to give', async () => {
  await eraseAndRecord('Observation/secret', node.node.runtime);
  const token = await tokenOf(chi);
  assert.equal((await ask('/Observation/secret', token)).status, 404);
  assert.equal((await ask('/Observation/secret/1', token)).status, 404);
  assert.doesNotMatch((await ask('', token)).text, /secret/);
});
