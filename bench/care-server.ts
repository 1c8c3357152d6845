/** Ours in the HTTP benchmarks: a node with the sample patients, and a session of the hospital's own clinician. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAssertion } from '../src/client/index.ts';
import { DEMO_KEYS, readKeyFile, startNode } from '../src/node/index.ts';
import { fromHex } from '../src/shared/index.ts';

const RESOURCE_BYTES = 1400;
const folder = mkdtempSync(join(tmpdir(), 'careledger-bench-'));
const data = join(folder, 'data');
const node = await startNode({
  dataPath: data,
  port: 0,
  passphrase: 'only for a benchmark',
  logLevel: 'error',
  logSink: () => undefined,
});
const key = readKeyFile(join(data, 'demo', DEMO_KEYS.clinician));
const authorization = `Bearer ${await sessionToken()}`;
const observation = {
  resourceType: 'Observation',
  id: 'bench',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }] },
  subject: { reference: 'Patient/ana' },
  effectiveDateTime: '2026-03-01T10:00:00Z',
  valueQuantity: { value: 72, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
  note: [{ text: '' }],
};
observation.note = [{ text: 'x'.repeat(RESOURCE_BYTES - JSON.stringify(observation).length) }];
const headers = { authorization, 'content-type': 'application/fhir+json' };
await send('PUT', '/Observation/bench');
const read = { url: `${node.url}/fhir/R4/Observation/bench`, headers: { authorization } };
const create = {
  url: `${node.url}/fhir/R4/Observation`,
  method: 'POST',
  headers,
  body: JSON.stringify(observation),
};
process.send?.({ read, create });

process.on('SIGTERM', async () => {
  await node.close();
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});

async function send(method: string, path: string): Promise<void> {
  const reply = await fetch(`${node.url}/fhir/R4${path}`, {
    method,
    headers,
    body: JSON.stringify(observation),
  });
  if (!reply.ok) throw new Error(`${method} gave ${reply.status}: ${await reply.text()}`);
}

async function sessionToken(): Promise<string> {
  const claims = {
    accountId: fromHex(key.accountId) as Uint8Array,
    audience: `${node.url}/auth/token`,
    nowMs: Date.now(),
  };
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await createAssertion(key.seed, claims),
  });
  const reply = await fetch(`${node.url}/auth/token`, { method: 'POST', body: form });
  return ((await reply.json()) as { access_token: string }).access_token;
}
