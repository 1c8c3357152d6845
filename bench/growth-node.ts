/** A node in the growth benchmark: takes records in when it is asked to, then serves, and tells what it costs. */
import { join } from 'node:path';
import { consentResource } from '../src/cli/consent-resource.ts';
import { createAssertion, enrolmentRequest, patientKeyOf, signGrant } from '../src/client/index.ts';
import { encodeRegistration } from '../src/contracts/index.ts';
import { accountKey } from '../src/ledger/index.ts';
import { DEMO_KEYS, readKeyFile, startNode } from '../src/node/index.ts';
import { fromHex, sha256, utf8 } from '../src/shared/index.ts';
import type { GrowthFacts, GrowthLoad } from './growth-load.ts';

const RECORDS_AT_ONCE = 500;
const PATIENTS_AT_ONCE = 50;
const TOLD_EVERY = 10_000;
const LAST_UPDATED_MS = Date.UTC(2026, 0, 1);

const load = JSON.parse(process.argv[2] as string) as GrowthLoad;
const data = join(load.folder, 'data');
const node = await startNode({
  dataPath: data,
  port: 0,
  passphrase: 'only for a benchmark',
  logLevel: 'silent',
});
const { runtime } = node;
if (load.isEmpty) {
  await takeInConsents();
  await takeInRecords();
}
process.on('message', () => void tell());
process.on('SIGTERM', () => void node.close().then(() => process.exit(0)));
await tell();

async function tell(): Promise<void> {
  const { engine, custodian } = runtime;
  const { logSize } = engine.head();
  const facts: GrowthFacts = {
    url: node.url,
    authorization: `Bearer ${await sessionToken()}`,
    rssBytes: process.memoryUsage.rss(),
    heapBytes: process.memoryUsage().heapUsed,
    buffersBytes: process.memoryUsage().arrayBuffers,
    logSize,
    inclusionHashes: engine.inclusionProof(logSize >> 1, logSize)?.length ?? 0,
    consistencyHashes: engine.consistencyProof((logSize >> 1) + 1, logSize)?.length ?? 0,
    stateHashes: engine.stateProof(accountKey(custodian.accountId)).proof.siblings.length,
  };
  process.send?.({ facts });
}

async function takeInRecords(): Promise<void> {
  for (let first = 0; first < load.records; first += RECORDS_AT_ONCE) {
    const count = Math.min(RECORDS_AT_ONCE, load.records - first);
    await Promise.all(Array.from({ length: count }, (_, at) => putRecord(first + at)));
    await runtime.recordAnchor.takeOver(0);
    await runtime.recordAnchor.anchorLeftOvers();
    if ((first + count) % TOLD_EVERY === 0)
      process.send?.({ progress: `${first + count} of ${load.records} record versions` });
  }
}

function putRecord(index: number): Promise<unknown> {
  const id = `r${index}`;
  const subject = `p${index % load.patients}`;
  const code = `${1000 + (index % 97)}-1`;
  return runtime.vault.put({
    key: { resourceType: 'Observation', id, version: 1 },
    subject,
    labels: [],
    lastUpdatedMs: LAST_UPDATED_MS + index,
    deleted: false,
    plaintext: utf8(
      JSON.stringify({
        code: { coding: [{ code, system: 'http://loinc.org' }] },
        effectiveDateTime: '2026-01-01',
        id,
        meta: { lastUpdated: new Date(LAST_UPDATED_MS + index).toISOString(), versionId: '1' },
        note: [{ text: 'x'.repeat(400) }],
        resourceType: 'Observation',
        status: 'final',
        subject: { reference: `Patient/${subject}` },
        valueQuantity: { unit: 'mmol/l', value: (index % 200) / 10 },
      }),
    ),
    tokens: [
      { param: 'subject', kind: 'reference', value: `Patient/${subject}` },
      { param: 'code', kind: 'code', value: `http://loinc.org|${code}` },
      { param: 'status', kind: 'code', value: 'final' },
    ],
  });
}

async function takeInConsents(): Promise<void> {
  for (let first = 0; first < load.consents; first += PATIENTS_AT_ONCE) {
    const count = Math.min(PATIENTS_AT_ONCE, load.consents - first);
    await Promise.all(Array.from({ length: count }, (_, at) => enrolAndGrant(`p${first + at}`)));
    if ((first + count) % (TOLD_EVERY / 10) === 0)
      process.send?.({ progress: `${first + count} of ${load.consents} consents` });
  }
}

/** As a wallet and the operator do it together, without the HTTP between them. */
async function enrolAndGrant(patientId: string): Promise<void> {
  const { custodian, vault, chainId, engine, nowMs } = runtime;
  const walletSeed = sha256(utf8(`growth ${load.seed} ${patientId}`));
  const code = `AAAA-${patientId}`;
  const request = enrolmentRequest(walletSeed, custodian.accountId, chainId, code);
  const key = patientKeyOf(walletSeed, custodian.accountId);
  const registration = {
    publicKey: key.publicKey,
    possessionProof: fromHex(request.proof) as Uint8Array,
    roles: [],
  };
  await custodian.submit('enrol-patient', [encodeRegistration(registration)]);
  await vault.bindings.put({
    patientId,
    accountId: Buffer.from(key.accountId).toString('hex'),
    sealingPublicKey: fromHex(request.sealingKey) as Uint8Array,
  });
  const grant = signGrant(consentOf(patientId, nowMs()), key, {
    chainId,
    nextSequence: 0,
    height: engine.head().height,
  });
  await runtime.consentDesk.accept(grant);
}

function consentOf(patientId: string, nowMs: number): unknown {
  return consentResource({
    patientId,
    to: ['ab'.repeat(32)],
    purposes: ['HRESCH'],
    actions: [],
    types: ['Observation'],
    codes: [],
    withhold: ['mental-health'],
    includeSensitive: false,
    fromMs: nowMs,
    untilMs: nowMs + 365 * 24 * 3600 * 1000,
    nowMs,
  });
}

async function sessionToken(): Promise<string> {
  const key = readKeyFile(join(data, 'demo', DEMO_KEYS.clinician));
  const accountId = fromHex(key.accountId) as Uint8Array;
  const audience = `${node.url}/auth/token`;
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await createAssertion(key.seed, { accountId, audience, nowMs: Date.now() }),
  });
  const reply = await fetch(audience, { method: 'POST', body: form });
  return ((await reply.json()) as { access_token: string }).access_token;
}
