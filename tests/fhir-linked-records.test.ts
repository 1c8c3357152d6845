/** Records that name no patient themselves: whose they are, what they are linked to says. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { activeConsent, actor, fhirConsent } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld, OUTSIDER } from './support/fhir-world.ts';

const COLLEAGUE = { ...CLINICIAN, accountId: '03'.repeat(32) };
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

const ENCOUNTER = reference('Encounter/e1');
const COUNT = { status: 'final', code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] } };
/** Linked to something of p1 by whatever reference their type has. */
const REFERRING: Record<string, Record<string, unknown>> = {
  'Observation/encounter': { ...COUNT, encounter: ENCOUNTER, valueString: CANARY },
  'Observation/spelt': { ...COUNT, encounter: reference('/Encounter/e1/_history/1'), valueString: CANARY },
  'Observation/specimen': { ...COUNT, specimen: reference('Specimen/s1'), valueString: CANARY },
  'Observation/extension': {
    ...COUNT,
    extension: [{ url: 'urn:x', valueReference: reference('DocumentReference/d1') }],
  },
  'Observation/chain': { ...COUNT, hasMember: [reference('Observation/encounter')], valueString: CANARY },
  'DiagnosticReport/encounter': { ...COUNT, encounter: ENCOUNTER, conclusion: CANARY },
  'QuestionnaireResponse/encounter': { status: 'completed', encounter: ENCOUNTER },
  'List/encounter': { status: 'current', mode: 'snapshot', title: CANARY, encounter: ENCOUNTER },
  'DocumentReference/encounter': {
    status: 'current',
    content: [{ attachment: { title: CANARY } }],
    context: { encounter: [ENCOUNTER] },
  },
  'DocumentReference/attachment': {
    status: 'current',
    content: [{ attachment: { title: CANARY, url: 'Binary/relative' } }],
  },
  'Specimen/child': { parent: [reference('Specimen/s1')] },
  'MessageHeader/focus': {
    eventUri: 'urn:x',
    source: { endpoint: 'http://x' },
    focus: [reference('DocumentReference/d1')],
  },
  'AuditEvent/entity': {
    type: { code: 'rest' },
    recorded: '2026-03-01T10:00:00Z',
    agent: [{ requestor: true }],
    source: { observer: { display: 'x' } },
    entity: [{ what: reference('DocumentReference/d1'), name: CANARY }],
  },
  'SupplyRequest/reason': {
    itemCodeableConcept: { text: CANARY },
    quantity: { value: 1 },
    reasonReference: [reference('DocumentReference/d1')],
  },
  'Bundle/copy': {
    type: 'collection',
    entry: [
      {
        fullUrl: `${BASE}/Observation/encounter`,
        resource: { resourceType: 'Observation', id: 'encounter', ...COUNT, valueString: CANARY },
      },
    ],
  },
};
Object.assign(LINKED, REFERRING);

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
  const period = { start: '2026-03-01' };
  const encounter = { status: 'finished', class: { code: 'AMB' }, subject: reference('Patient/p1'), period };
  assert.equal(await put('Encounter/e1', encounter), 201);
  assert.equal(await put('Specimen/s1', { subject: reference('Patient/p1') }), 201);
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

test('in a transaction each comes after what says whose it is, along a chain', async () => {
  const chain: [string, Record<string, unknown>][] = [
    ['DiagnosticReport/t4', { ...COUNT, result: [reference('Observation/t3')] }],
    ['Observation/t3', { ...COUNT, specimen: reference('Specimen/t2') }],
    ['Specimen/t2', { parent: [reference('Specimen/t1')] }],
    ['Specimen/t1', { subject: reference('Patient/p1') }],
  ];
  const entry = chain.map(([key, content]) => {
    const [resourceType, id] = key.split('/');
    return { resource: { resourceType, id, ...content }, request: { method: 'PUT', url: key } };
  });
  const posted = {
    resource: {
      resourceType: 'Media',
      status: 'completed',
      content: { title: CANARY },
      partOf: [reference('Observation/t3')],
    },
  };
  const bundle = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [{ ...posted, request: { method: 'POST', url: 'Media' } }, ...entry],
  };
  const reply = await world.send(CLINICIAN, 'POST', '/', bundle);
  assert.equal(reply.status, 200, reply.body);
  const [media] = reply.json.entry as unknown as { response: { location: string } }[];
  deny('p1');
  for (const [key] of chain) assert.equal(await isSeen(CLINICIAN, key), false, key);
  assert.equal(await isSeen(CLINICIAN, media?.response.location.replace(/\/_history.*/, '') ?? ''), false);
});

test('what refers to records of two patients needs both, and to none is under the rule for nobody’s', async () => {
  const focus = [reference('DocumentReference/d1'), reference('DocumentReference/d2')];
  assert.equal(await put('MessageHeader/two', { ...LINKED['MessageHeader/focus'], focus }), 201);
  assert.equal(await put('Observation/none', { ...COUNT, performer: [reference('Practitioner/x')] }), 201);
  permit('p1');
  assert.equal(await isSeen(OUTSIDER, 'MessageHeader/two'), false);
  permit('p2');
  assert.equal(await isSeen(OUTSIDER, 'MessageHeader/two'), true);
  assert.equal(await isSeen(OUTSIDER, 'Observation/none'), false);
  deny('p1');
  assert.equal(await isSeen(CLINICIAN, 'MessageHeader/two'), false);
  assert.equal(await isSeen(CLINICIAN, 'Observation/none'), true);
});

test('a record is put under its patients when it is written: what comes later says nothing more', async () => {
  const target = [reference('DocumentReference/d1'), reference('DocumentReference/later')];
  assert.equal(await put('Provenance/half', { ...LINKED['Provenance/note'], target }), 201);
  assert.equal(await put('DocumentReference/later', note('p2')), 201);
  permit('p1');
  assert.equal(await isSeen(OUTSIDER, 'Provenance/half'), true);
});

test('who only takes part in a record does not stand for whom it is about', async () => {
  const performer = [reference('Patient/p2')];
  await put('Observation/by-p2', { ...COUNT, encounter: ENCOUNTER, performer });
  await put('Communication/by-p2', { status: 'completed', encounter: ENCOUNTER, sender: performer[0] });
  const together = {
    'Communication/sent-first': {
      status: 'completed',
      encounter: reference('Encounter/sent-then'),
      sender: performer[0],
    },
    'Encounter/sent-then': { status: 'finished', class: { code: 'AMB' }, subject: reference('Patient/p1') },
  };
  const entry = Object.entries(together).map(([key, content]) => {
    const [resourceType, id] = key.split('/');
    return { resource: { resourceType, id, ...content }, request: { method: 'PUT', url: key } };
  });
  const bundle = { resourceType: 'Bundle', type: 'transaction', entry };
  assert.equal((await world.send(CLINICIAN, 'POST', '/', bundle)).status, 200);
  for (const key of ['Observation/by-p2', 'Communication/by-p2', 'Communication/sent-first']) {
    permit('p2');
    assert.equal(await isSeen(OUTSIDER, key), false, key);
    deny('p1');
    assert.equal(await isSeen(CLINICIAN, key), false, key);
    permit('p1');
    assert.equal(await isSeen(OUTSIDER, key), true, key);
    world.consents.clear();
  }
});

test('a version that was nobody’s is asked of the patients of what its record has become', async () => {
  await put('Observation/found', { ...COUNT, valueString: CANARY });
  assert.equal(await isSeen(COLLEAGUE, 'Observation/found'), true);
  await put('Observation/found', { ...COUNT, subject: reference('Patient/p1') });
  deny('p1');
  assert.equal((await world.send(CLINICIAN, 'GET', '/Observation/found/_history/1')).status, 404);
  for (const url of ['/Observation/found/_history', '/Observation/_history?_count=1000'])
    assert.ok(!(await world.send(CLINICIAN, 'GET', url)).body.includes('"id":"found"'), url);
  assert.equal((await world.send(COLLEAGUE, 'GET', '/Observation/found/_history/1')).status, 200);
});

test('a Bundle of another server is about people of that server, whatever ids they have', async () => {
  const entryOf = (base: string) => [
    { fullUrl: `${base}/Patient/p1`, resource: { resourceType: 'Patient', id: 'p1' } },
    {
      fullUrl: `${base}/Observation/o1`,
      resource: { resourceType: 'Observation', id: 'o1', ...COUNT, subject: reference('Patient/p1') },
    },
  ];
  const bundles = { here: BASE, odd: 'HTTP://TEST/fhir/R4/', there: 'http://other/fhir' };
  for (const [id, base] of Object.entries(bundles))
    await put(`Bundle/${id}`, { type: 'collection', entry: entryOf(base) });
  await put('Bundle/second', { type: 'collection', entry: entryOf('http://other/fhir').slice(1) });
  deny('p1');
  for (const id of ['here', 'odd']) assert.equal(await isSeen(CLINICIAN, `Bundle/${id}`), false, id);
  for (const id of ['there', 'second']) assert.equal(await isSeen(CLINICIAN, `Bundle/${id}`), true, id);
});

test('a prescription of what is not there yet is restricted, until it is written again', async () => {
  const prescription = {
    status: 'active',
    intent: 'order',
    subject: reference('Patient/p1'),
    medicationReference: reference('Medication/late'),
  };
  const labels = async () => (await world.vault.read('MedicationRequest', 'late'))?.labels;
  permit('p1');
  await put('MedicationRequest/late', prescription);
  assert.equal(await isSeen(OUTSIDER, 'MedicationRequest/late'), false);
  await put('Medication/late', { ingredient: [{ itemReference: reference('Medication/later') }] });
  await put('MedicationRequest/late', prescription);
  assert.equal(await isSeen(OUTSIDER, 'MedicationRequest/late'), false, 'its ingredient is not there');
  await put('Medication/later', { ingredient: [{ itemCodeableConcept: { text: 'sugar' } }] });
  await put('Medication/late', { ingredient: [{ itemReference: reference('Medication/later') }] });
  assert.equal(await isSeen(OUTSIDER, 'MedicationRequest/late'), false, 'not written again yet');
  await put('MedicationRequest/late', prescription);
  assert.equal(await isSeen(OUTSIDER, 'MedicationRequest/late'), true);
  assert.deepEqual(await labels(), []);
});

test('a prescription is as sensitive as what its medication is made of, at whatever remove', async () => {
  const ingredient = [{ itemCodeableConcept: HIV }];
  const ofMed = [{ itemReference: reference('Medication/made') }];
  const prescription = {
    status: 'active',
    intent: 'order',
    subject: reference('Patient/p1'),
    medicationReference: reference('Medication/kit'),
  };
  const entry = [
    { resourceType: 'MedicationRequest', id: 'kit', ...prescription },
    { resourceType: 'Medication', id: 'kit', ingredient: ofMed },
    { resourceType: 'Medication', id: 'made', ingredient },
  ].map((resource) => ({
    resource,
    request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` },
  }));
  const reply = await world.send(CLINICIAN, 'POST', '/', {
    resourceType: 'Bundle',
    type: 'transaction',
    entry,
  });
  assert.equal(reply.status, 200, reply.body);
  permit('p1');
  assert.equal(await isSeen(OUTSIDER, 'MedicationRequest/kit'), false);
});
