/** Whose a record is, in each way that it can say so, and what a later version can change about that. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Session } from '../src/fhir/index.ts';
import { activeConsent, actor, fhirConsent } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld, OUTSIDER } from './support/fhir-world.ts';

const COLLEAGUE: Session = { ...CLINICIAN, accountId: '03'.repeat(32) };
const self = (patientId: string): Session => ({
  accountId: '09'.repeat(32),
  kind: 'patient',
  organisation: CLINICIAN.organisation,
  roles: [],
  purpose: 'PATRQT',
  patientId,
});
const HIV = { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'B20' }] };
const COUNT = { status: 'final', code: { text: 'x' } };
const AUDIT = {
  type: { code: 'rest' },
  recorded: '2026-03-01T10:00:00Z',
  source: { observer: { display: 'x' } },
};
const TEXT = { contentType: 'text/plain', data: 'eA==' };
const reference = (to: string) => ({ reference: to });
const P1 = reference('Patient/p1');
const P2 = reference('Patient/p2');
const encounterOf = (subject: unknown) => ({ status: 'finished', class: { code: 'AMB' }, subject });
const noteOf = (more: Record<string, unknown> = {}) => ({
  status: 'current',
  subject: P1,
  content: [{ attachment: { title: 'x' } }],
  ...more,
});

let world: FhirWorld;
type Content = Record<string, unknown>;
const resourceOf = (key: string, content: Content) => {
  const [resourceType, id] = key.split('/');
  return { resourceType, id, ...content };
};
const put = async (key: string, content: Content) => {
  const reply = await world.send(CLINICIAN, 'PUT', `/${key}`, resourceOf(key, content));
  assert.ok(reply.status < 300, `${key}: ${reply.body}`);
  return reply.json.meta?.versionId;
};
const transact = async (contents: Record<string, Content>) => {
  const entry = Object.entries(contents).map(([key, content]) => ({
    resource: resourceOf(key, content),
    request: { method: 'PUT', url: key },
  }));
  const bundle = { resourceType: 'Bundle', type: 'transaction', entry };
  const reply = await world.send(CLINICIAN, 'POST', '/', bundle);
  assert.equal(reply.status, 200, reply.body);
};
const isSeen = async (session: Session, key: string) =>
  (await world.send(session, 'GET', `/${key}`)).status === 200;
const subjectOf = async (key: string) => {
  const [type = '', id = ''] = key.split('/');
  return (await world.vault.read(type, id))?.subject;
};
const say = (patient: string, rule: 'OPTIN' | 'OPTOUT', session: Session) =>
  world.consents.set(patient, [activeConsent(1, fhirConsent(rule, { actor: [actor(session.accountId)] }))]);
const removing = (path: string) => [{ op: 'remove', path }];
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };

before(async () => {
  world = await createFhirWorld();
  for (const id of ['p1', 'p2']) await put(`Patient/${id}`, {});
  await put('Encounter/e1', encounterOf(P1));
  await put('Encounter/e2', encounterOf(P2));
  await put('DocumentReference/d1', noteOf());
});
after(() => world.close());
beforeEach(() => world.consents.clear());

/** Records of p1 in which p2 takes part. */
const OF_P1: Record<string, Content> = {
  'Observation/by-p2': { ...COUNT, encounter: reference('Encounter/e1'), performer: [P2] },
  'QuestionnaireResponse/from-p2': { status: 'completed', encounter: reference('Encounter/e1'), source: P2 },
  'Provenance/of-p2': {
    target: [reference('DocumentReference/d1')],
    recorded: '2026-03-01T10:00:00Z',
    agent: [{ who: P2 }],
  },
  'AuditEvent/record': {
    ...AUDIT,
    agent: [{ requestor: true, who: P2 }],
    entity: [{ what: reference('DocumentReference/d1') }],
  },
  'AuditEvent/patient': { ...AUDIT, agent: [{ requestor: true, who: P2 }], entity: [{ what: P1 }] },
};

for (const [key, content] of Object.entries(OF_P1))
  test(`${key}: it is p1’s, who reads it, and not p2’s, who takes part`, async () => {
    await put(key, content);
    assert.equal(await subjectOf(key), 'p1');
    assert.deepEqual([await isSeen(self('p1'), key), await isSeen(self('p2'), key)], [true, false]);
    say('p1', 'OPTOUT', COLLEAGUE);
    assert.equal(await isSeen(COLLEAGUE, key), false);
  });

test('what names several alike is open to none of them alone, linked to a record of one or not', async () => {
  const participant = [P1, P2].map((who) => ({ actor: who, status: 'accepted' }));
  const times = { start: '2026-03-01T10:00:00Z', end: '2026-03-01T11:00:00Z' };
  const reasonReference = [reference('Condition/c1')];
  await put('Condition/c1', { subject: P1 });
  await put('Appointment/both', { status: 'booked', ...times, participant, reasonReference });
  const entry = [reference('Encounter/e1'), P2].map((item) => ({ item }));
  await put('List/both', { status: 'current', mode: 'working', entry });
  for (const key of ['Appointment/both', 'List/both'])
    for (const patient of ['p1', 'p2']) assert.equal(await isSeen(self(patient), key), false, key);
});

test('a Patient without an id in a Bundle is nobody here', async () => {
  const fullUrl = 'urn:uuid:00000000-0000-4000-8000-000000000001';
  await put('Bundle/no-id', {
    type: 'collection',
    entry: [{ fullUrl, resource: { resourceType: 'Patient' } }],
  });
  assert.equal(await subjectOf('Bundle/no-id'), null);
});

test('no new version takes a record from its patient: only naming another one moves it', async () => {
  const observation = { ...COUNT, valueString: 'x' };
  await put('Observation/patched', { ...observation, subject: P1 });
  await put('Observation/linked', { ...observation, encounter: reference('Encounter/e1') });
  await put('Observation/by', { ...observation, subject: P1, performer: [P2] });
  await put('Observation/deleted', { ...observation, subject: P1 });
  await put('Device/stock', { patient: P1 });
  const patched = await world.send(
    CLINICIAN,
    'PATCH',
    '/Observation/patched',
    removing('/subject'),
    JSON_PATCH,
  );
  assert.equal(patched.status, 200, patched.body);
  assert.equal((await world.send(CLINICIAN, 'DELETE', '/Observation/deleted')).status, 204);
  const left = {
    'Observation/patched': { ...observation, language: 'en' },
    'Observation/linked': observation,
    'Observation/by': { ...observation, performer: [P2] },
    'Observation/deleted': observation,
    'Device/stock': {},
  };
  for (const [key, content] of Object.entries(left)) await put(key, content);
  say('p1', 'OPTOUT', COLLEAGUE);
  for (const key of Object.keys(left)) {
    assert.equal(await isSeen(COLLEAGUE, key), false, key);
    assert.equal(await isSeen(CLINICIAN, key), true, key);
  }
  await put('Observation/linked', { ...observation, subject: P2 });
  assert.equal(await isSeen(COLLEAGUE, 'Observation/linked'), true);
});

test('what was a patient’s is its author’s alone while it refers to what is not there, and that patient’s after', async () => {
  const early = { ...COUNT, encounter: reference('Encounter/absent') };
  await put('Observation/early', { ...COUNT, subject: P1 });
  await put('Observation/early', early);
  assert.deepEqual(
    [await isSeen(COLLEAGUE, 'Observation/early'), await isSeen(self('p1'), 'Observation/early')],
    [false, false],
  );
  await put('Observation/early', COUNT);
  assert.equal(await subjectOf('Observation/early'), 'p1');
  assert.equal(await isSeen(COLLEAGUE, 'Observation/early'), true);
});

test('written again as it is, it is under whom its links say by then; sent once more, nothing changes', async () => {
  const observation = { ...COUNT, encounter: reference('Encounter/corrected') };
  await put('Encounter/corrected', encounterOf(P2));
  await put('Observation/corrected', observation);
  await put('Encounter/corrected', encounterOf(P1));
  assert.equal(await subjectOf('Observation/corrected'), 'p2', 'settled when it was written');
  assert.equal(await put('Observation/corrected', observation), '2');
  assert.equal(await put('Observation/corrected', observation), '2');
  assert.deepEqual(
    [await isSeen(self('p1'), 'Observation/corrected'), await isSeen(self('p2'), 'Observation/corrected')],
    [true, false],
  );
});

test('written again as it is, it names whom its links name by then, and has their labels', async () => {
  const performer = [P2];
  await put('Observation/base', { ...COUNT, subject: P1 });
  await put('Observation/derived', { ...COUNT, derivedFrom: [reference('Observation/base')] });
  await put('Observation/base', { ...COUNT, subject: P1, performer });
  await put('Observation/derived', { ...COUNT, derivedFrom: [reference('Observation/base')] });
  await put('DocumentReference/found', noteOf());
  const scan = { ...TEXT, securityContext: reference('DocumentReference/found') };
  await put('Binary/found', scan);
  await put('DocumentReference/found', noteOf({ type: HIV }));
  assert.equal(await put('Binary/found', scan), '2');
  assert.equal(await put('Binary/found', scan), '2');
  say('p1', 'OPTIN', OUTSIDER);
  for (const key of ['Observation/derived', 'Binary/found'])
    assert.equal(await isSeen(OUTSIDER, key), false, key);
  say('p2', 'OPTIN', OUTSIDER);
  assert.equal(await isSeen(OUTSIDER, 'Observation/derived'), true);
});

test('what its links cannot tell any more stays as they told it', async () => {
  const observation = { ...COUNT, encounter: reference('Encounter/erased') };
  await put('Encounter/erased', encounterOf(P1));
  await put('Observation/stays', observation);
  await world.vault.erase({ resourceType: 'Encounter', id: 'erased' });
  assert.equal(await put('Observation/stays', observation), '1');
  assert.equal(await isSeen(self('p1'), 'Observation/stays'), true);
});

test('an old version that was its author’s alone is asked of whom the record turned out to be', async () => {
  const message = { status: 'completed', encounter: reference('Encounter/late'), sender: P2 };
  await put('Communication/late', message);
  assert.equal(await isSeen(self('p2'), 'Communication/late'), false);
  await put('Encounter/late', encounterOf(P1));
  assert.equal(await put('Communication/late', message), '2');
  assert.equal(await isSeen(CLINICIAN, 'Communication/late/_history/1'), true);
  say('p1', 'OPTOUT', CLINICIAN);
  for (const key of ['Communication/late', 'Communication/late/_history/1'])
    assert.equal(await isSeen(CLINICIAN, key), false, key);
});

test('in a transaction a ring of records is put under the patient whom one of them leads to', async () => {
  const ring = (name: string, encounter: string): Record<string, Content> => ({
    [`Observation/${name}a`]: {
      ...COUNT,
      hasMember: [reference(`Observation/${name}b`)],
      performer: [reference('Practitioner/x')],
    },
    [`Observation/${name}b`]: { ...COUNT, hasMember: [reference(`Observation/${name}c`)] },
    [`Observation/${name}c`]: {
      ...COUNT,
      derivedFrom: [reference(`Observation/${name}a`)],
      encounter: reference(encounter),
    },
  });
  const inside = ring('in', 'Encounter/sent');
  const outside = ring('out', 'Encounter/e1');
  await transact({ ...inside, ...outside, 'Encounter/sent': encounterOf(P1), 'Practitioner/x': {} });
  for (const key of Object.keys({ ...inside, ...outside })) {
    assert.equal(await subjectOf(key), 'p1', key);
    assert.equal(await isSeen(COLLEAGUE, key), true, key);
  }
});
