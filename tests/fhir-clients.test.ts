/** Two clients that know nothing of this server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MedplumClient } from '@medplum/core';
import type { Bundle, Observation, Patient } from '@medplum/fhirtypes';
import { Client } from 'fhir-kit-client';
import { startTestNode, type TestNode } from './node-fixture.ts';

let node: TestNode;
let token: string;
before(async () => {
  node = await startTestNode();
  token = await node.token('clinician');
});
after(() => node.close());

const PATIENT: Patient = { resourceType: 'Patient', name: [{ family: 'Client' }], birthDate: '1970-01-01' };
const observationOf = (id: string): Observation => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${id}` },
});
const typesIn = (bundle: Bundle) => (bundle.entry ?? []).map((entry) => entry.resource?.resourceType).sort();

test('fhir-kit-client creates, searches with chain and include, sends a transaction, reads history and patches', async () => {
  const client = new Client({
    baseUrl: `${node.url}/fhir/R4`,
    customHeaders: { Authorization: `Bearer ${token}` },
  });
  const created = await client.create({ resourceType: 'Patient', body: { ...PATIENT } });
  const id = created.id as string;
  const entry = { resource: observationOf(id), request: { method: 'POST', url: 'Observation' } };
  const done = await client.transaction({
    body: { resourceType: 'Bundle', type: 'transaction', entry: [entry] },
  });
  assert.equal((done as unknown as Bundle).entry?.[0]?.response?.status, '201');
  const found = await client.search({
    resourceType: 'Observation',
    searchParams: { 'subject:Patient.family': 'Client', _include: 'Observation:subject' },
  });
  assert.deepEqual(typesIn(found as unknown as Bundle), ['Observation', 'Patient']);
  const patched = await client.patch({
    resourceType: 'Patient',
    id,
    jsonPatch: [{ op: 'replace', path: '/birthDate', value: '1971-01-01' }],
  });
  assert.equal(patched.birthDate, '1971-01-01');
  const history = await client.history({ resourceType: 'Patient', id });
  assert.equal((history as unknown as Bundle).entry?.length, 2);
});

test('MedplumClient creates, searches with chain and include, sends a batch, reads history and patches', async () => {
  const client = new MedplumClient({
    baseUrl: `${node.url}/`,
    fhirUrlPath: 'fhir/R4',
    accessToken: token,
    fetch,
    cacheTime: 0,
  });
  const { id } = await client.createResource({ ...PATIENT, name: [{ family: 'Medplum' }] });
  const done = await client.executeBatch({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [{ resource: observationOf(id), request: { method: 'POST', url: 'Observation' } }],
  });
  assert.equal(done.entry?.[0]?.response?.status, '201');
  const found = await client.search(
    'Observation',
    'subject:Patient.family=Medplum&_include=Observation:subject',
  );
  assert.deepEqual(typesIn(found as Bundle), ['Observation', 'Patient']);
  const patched = await client.patchResource('Patient', id, [
    { op: 'replace', path: '/birthDate', value: '1971-01-01' },
  ]);
  assert.equal(patched.birthDate, '1971-01-01');
  assert.equal((await client.readHistory('Patient', id)).entry?.length, 2);
});

test('the answer to a bundle of many entries has headers that a client accepts', async () => {
  const entry = Array.from({ length: 100 }, (_, place) => ({
    resource: { ...observationOf('ana'), id: `many-${place}` },
    request: { method: 'PUT', url: `Observation/many-${place}` },
  }));
  const body = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
  const reply = await node.fhir('', token, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/fhir+json' },
  });
  assert.equal(reply.status, 200);
  const promise = reply.headers.get('careledger-log-promise') ?? '';
  assert.ok(promise.length > 0 && promise.length <= 8192);
});
