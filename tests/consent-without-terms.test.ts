/** A consent that the ledger has and whose terms nobody brought to the custodian denies, until they come. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createNodeClient,
  createWallet,
  enrolmentRequest,
  type NodeClient,
  type PatientKey,
  signGrant,
  signReplacement,
  signRevocation,
} from '../src/client/index.ts';
import { startNode } from '../src/node/index.ts';
import { toHex } from '../src/shared/index.ts';
import { PASSPHRASE, sessionToken, startTestNode, type TestNode } from './node-fixture.ts';
import { consentTo } from './support/research-consent.ts';

let node: TestNode;
let client: NodeClient;
let patient: PatientKey;
const folder = mkdtempSync(join(tmpdir(), 'careledger-terms-'));

before(async () => {
  node = await startTestNode();
  connect();
  patient = await enrolled('first');
});
after(async () => {
  await node.close();
  rmSync(dirname(node.data), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

/** The key of a new wallet of chi's. */
async function enrolled(wallet: string): Promise<PatientKey> {
  const { enrolment, custodian, chainId } = node.node.runtime;
  const { seed, keyAt } = await createWallet(join(folder, `${wallet}.json`));
  const { code } = await enrolment.issueCode('chi');
  await client.enrol(enrolmentRequest(seed, custodian.accountId, chainId, code));
  return keyAt(custodian.accountId);
}

function connect(): void {
  client = createNodeClient({ baseUrl: node.url });
}

async function restart(): Promise<void> {
  await node.node.close();
  const started = await startNode({
    dataPath: node.data,
    port: 0,
    passphrase: PASSPHRASE,
    logSink: () => {},
  });
  node = { ...node, node: started, url: started.url, close: () => started.close() };
  connect();
}

const grantee = (): string => node.demoKey('researcher').accountId;

/** What the patient's own hospital, by whose policy a clinician reads, gets. */
async function careStatus(): Promise<number> {
  const token = await sessionToken(node.url, node.demoKey('clinician'));
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${node.url}/fhir/R4/Condition/chi-asthma`, { headers })).status;
}

test('a grant without terms denies what the policy gives, also after a restart, until the terms come', async () => {
  assert.equal(await careStatus(), 200);
  const signed = signGrant(
    consentTo(grantee(), 'chi'),
    patient,
    await client.signingPlace(patient.accountId),
  );
  await node.node.runtime.engine.submit(signed.transaction);
  assert.equal(await careStatus(), 404);
  await restart();
  assert.equal(await careStatus(), 404);

  await assert.rejects(client.depositTerms({ ...signed, salt: new Uint8Array(32) }), {
    code: 'invalid-consent',
  });
  await assert.rejects(client.depositTerms({ ...signed, consent: consentTo(grantee(), 'chi', 'TREAT') }), {
    code: 'invalid-consent',
  });
  assert.equal(await careStatus(), 404);
  await client.depositTerms(signed);
  assert.equal(await careStatus(), 200);

  const replaced = signReplacement(
    consentTo(grantee(), 'chi', 'TREAT'),
    { consentId: signed.consentId, expectedVersion: 1 },
    await client.signingPlace(patient.accountId),
    patient,
  );
  await node.node.runtime.engine.submit(replaced.transaction);
  assert.equal(await careStatus(), 404, 'the terms of the version before are not those of this one');
  await client.depositTerms(replaced);
  assert.equal(await careStatus(), 200);
  await assert.rejects(client.depositTerms(signed), { code: 'conflict' });
});

test('a grant without terms that is revoked denies no more, and takes no terms', async () => {
  const signed = signGrant(
    consentTo(grantee(), 'chi'),
    patient,
    await client.signingPlace(patient.accountId),
  );
  await node.node.runtime.engine.submit(signed.transaction);
  assert.equal(await careStatus(), 404);
  const change = { consentId: signed.consentId, expectedVersion: 1 };
  const revocation = signRevocation(change, await client.signingPlace(patient.accountId), patient);
  await node.node.runtime.engine.submit(revocation.transaction);
  assert.equal(await careStatus(), 200);
  await assert.rejects(client.depositTerms(signed), { code: 'conflict' });
});

test('a new wallet drops no grant without terms of the one before, which its own key can end, and bring no terms for', async () => {
  const signed = signGrant(
    consentTo(grantee(), 'chi'),
    patient,
    await client.signingPlace(patient.accountId),
  );
  await node.node.runtime.engine.submit(signed.transaction);
  assert.equal(await careStatus(), 404);
  await enrolled('second');
  assert.equal(await careStatus(), 404);
  await assert.rejects(client.depositTerms(signed), { code: 'forbidden', message: /can only be revoked/ });
  await revoke(signed);
  assert.equal(await careStatus(), 200);

  const more = signGrant(consentTo(grantee(), 'chi'), patient, await client.signingPlace(patient.accountId));
  await assert.rejects(client.submitConsent(more), { code: 'forbidden' });
  await node.node.runtime.engine.submit(more.transaction);
  assert.equal(await careStatus(), 404, 'what is granted under it later denies too');
  await revoke(more);
  assert.equal(await careStatus(), 200);
});

async function revoke({ consentId }: { consentId: Uint8Array }): Promise<void> {
  const place = await client.signingPlace(patient.accountId);
  const { transaction } = signRevocation({ consentId, expectedVersion: 1 }, place, patient);
  await client.submitConsent({ transaction });
}

test('terms whose grant is never sent cost no reader anything, and the oldest of them go', async () => {
  const key = await enrolled('hoarder');
  const { consents } = node.node.runtime.vault;
  const place = await client.signingPlace(key.accountId);
  const grants = Array.from({ length: 101 }, () => signGrant(consentTo(grantee(), 'chi'), key, place));
  const [oldest, second] = grants.map(({ consentId }) => toHex(consentId));
  const granted = signGrant(consentTo(grantee(), 'chi'), key, place);
  await client.submitConsent(granted);
  for (const grant of grants) await client.depositTerms(grant);
  assert.equal(await consents.get(oldest as string, 1), undefined);
  assert.ok(await consents.get(second as string, 1));

  const { get } = consents;
  const asked: string[] = [];
  const noted: typeof get = (id, version) => {
    asked.push(id);
    return get(id, version);
  };
  Object.assign(consents, { get: noted });
  assert.equal(await careStatus(), 200);
  Object.assign(consents, { get });
  const unsent = new Set(grants.map(({ consentId }) => toHex(consentId)));
  assert.ok(asked.includes(toHex(granted.consentId)));
  assert.deepEqual(
    asked.filter((id) => unsent.has(id)),
    [],
  );
});

test('a consent of more than 64 KiB is refused', async () => {
  const key = await enrolled('verbose');
  const text = {
    status: 'generated',
    div: `<div xmlns="http://www.w3.org/1999/xhtml">${'x'.repeat(65_536)}</div>`,
  };
  const consent = { ...(consentTo(grantee(), 'chi') as object), text };
  const signed = signGrant(consent, key, await client.signingPlace(key.accountId));
  await assert.rejects(client.depositTerms(signed), { code: 'body-too-large' });
});
