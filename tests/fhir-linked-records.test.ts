/** A Binary, a Provenance, a Task: whose they are, what they are linked to says. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { activeConsent, actor, fhirConsent } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld, OUTSIDER } from './support/fhir-world.ts';

const CANARY = 'canary-77c2';
const BASE = 'http://test/fhir/R4';
const reference = (to: string) => ({ reference: to });
const note = (patient: string, more: Record<string, unknown> = {}) => ({
  resourceType: 'DocumentReference',
  status: 'current',
  subject: reference(`Patient/${patient}`),
  content: [{ attachment: { title: CANARY } }],
  ...more,
});
const HIV = { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'B20' }] };

/** Linked to a note of p1, each in its way. */
const LINKED: Record<string, Record<string, unknown>> = {
  'Binary/relative': {
    contentType: 'text/plain',
    data: 'eA==',
    securityContext: reference('DocumentReference/d1'),
  },
  'Binary/version': {
    contentType: 'text/plain',
    data: 'eA==',
    securityContext: reference('DocumentReference/d1/_history/1'),
  },
  'Binary/absolute': {
    contentType: 'text/plain',
    data: 'eA==',
    securityContext: reference(`${BASE}/DocumentReference/d1`),
  },
  'Provenance/note': {
    target: [reference('DocumentReference/d1')],
    recorded: '2026-03-01T10:00:00Z',
    agent: [{ who: { display: CANARY } }],
  },
  'Task/note': {
    status: 'requested',
    intent: 'order',
    description: CANARY,
    focus: reference('DocumentReference/d1'),
  },
};

let world: FhirWorld;
async function put(key: string, content: Record<string, unknown>): Promise<number> {
  const [resourceType, id] = key.split('/');
  return (await world.send(CLINICIAN, 'PUT', `/${key}`, { resourceType, id, ...content })).status;
}
before(async () => {
  world = await createFhirWorld();
  for (const id of ['p1', 'p2']) assert.equal(await put(`Patient/${id}`, {}), 201);
  assert.equal(await put('DocumentReference/d1', note('p1')), 201);
  assert.equal(await put('DocumentReference/d2', note('p2')), 201);
  assert.equal(await put('DocumentReference/hiv', note('p1', { type: HIV })), 201);
  assert.equal(await put('DocumentReference/part', note('p1', { context: { event: [HIV] } })), 201);
  for (const [key, content] of Object.entries(LINKED)) assert.equal(await put(key, content), 201, key);
});
after(() => world.close());
beforeEach(() => world.consents.clear());

const permit = (patient: string, session = OUTSIDER) =>
  world.consents.set(patient, [
    activeConsent(1, fhirConsent('OPTIN', { actor: [actor(session.accountId)] })),
  ]);
const deny = (patient: string) =>
  world.consents.set(patient, [
    activeConsent(1, fhirConsent('OPTOUT', { actor: [actor(CLINICIAN.accountId)] })),
  ]);
const isSeen = async (session: typeof CLINICIAN, key: string): Promise<boolean> => {
  const [type, id] = key.split('/');
  const read = (await world.send(session, 'GET', `/${key}`)).status === 200;
  const listed = (await world.send(session, 'GET', `/${type}?_id=${id}`)).body.includes(`"id":"${id}"`);
  assert.equal(read, listed, key);
  return read;
};

for (const key of Object.keys(LINKED)) {
  test(`${key}: the consent of the patient whose record it is linked to decides`, async () => {
    assert.equal(await isSeen(CLINICIAN, key), true);
    assert.equal(await isSeen(OUTSIDER, key), false);
    deny('p1');
    assert.equal(await isSeen(CLINICIAN, key), false);
    assert.ok((await put(key, { ...LINKED[key], language: 'en' })) >= 400);
    permit('p1');
    assert.equal(await isSeen(OUTSIDER, key), true);
  });
}

test('nobody who may not write about a patient links a new record to one of theirs', async () => {
  deny('p1');
  assert.ok((await put('Binary/another', LINKED['Binary/relative'] ?? {})) >= 400);
});

test('where it is linked to records of two patients, each of them is asked', async () => {
  const target = [reference('DocumentReference/d1'), reference('DocumentReference/d2')];
  assert.equal(await put('Provenance/two', { ...LINKED['Provenance/note'], target }), 201);
  permit('p1');
  assert.equal(await isSeen(OUTSIDER, 'Provenance/two'), false);
  permit('p2');
  assert.equal(await isSeen(OUTSIDER, 'Provenance/two'), true);
});

test('what is linked to something sensitive is sensitive; a Binary, which cannot be shown in part, also for a part', async () => {
  const content = { contentType: 'text/plain', data: 'eA==' };
  for (const id of ['hiv', 'part'])
    await put(`Binary/${id}`, { ...content, securityContext: reference(`DocumentReference/${id}`) });
  const provenance = LINKED['Provenance/note'] ?? {};
  await put('Provenance/hiv', { ...provenance, target: [reference('DocumentReference/hiv')] });
  const target = [reference('DocumentReference/hiv'), reference('DocumentReference/d1')];
  await put('Provenance/several', { ...provenance, target });
  permit('p1');
  for (const key of ['Binary/hiv', 'Binary/part', 'Provenance/hiv'])
    assert.equal(await isSeen(OUTSIDER, key), false, key);
  assert.equal(await isSeen(OUTSIDER, 'Provenance/several'), true, 'not all of it is');
});

test('in a transaction it comes after what it is linked to, in whatever order they were sent', async () => {
  const entryOf = (key: string, content: Record<string, unknown>) => {
    const [resourceType, id] = key.split('/');
    return { resource: { resourceType, id, ...content }, request: { method: 'PUT', url: key } };
  };
  const target = [reference('DocumentReference/d3')];
  const entry = [
    entryOf('Provenance/d3', { ...LINKED['Provenance/note'], target }),
    entryOf('DocumentReference/d3', note('p1')),
  ];
  const bundle = { resourceType: 'Bundle', type: 'transaction', entry };
  assert.equal((await world.send(CLINICIAN, 'POST', '/', bundle)).status, 200);
  deny('p1');
  assert.equal(await isSeen(CLINICIAN, 'Provenance/d3'), false);
});

test('a record elsewhere, or that is not there, says nothing of whose it is', async () => {
  const context = reference('http://elsewhere/fhir/DocumentReference/d1');
  assert.equal(
    await put('Binary/elsewhere', { ...LINKED['Binary/relative'], securityContext: context }),
    201,
  );
  deny('p1');
  assert.equal(await isSeen(CLINICIAN, 'Binary/elsewhere'), true);
});
