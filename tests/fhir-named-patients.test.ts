/** Records that name several patients: each of them is asked, and each of them reads of it in the log. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { type AccessLogEntry, decodeAccessEntry, type Session } from '../src/fhir/index.ts';
import { activeConsent, actor, fhirConsent } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld, OUTSIDER } from './support/fhir-world.ts';

const CANARY = 'canary-4b1d';
const BASE = 'http://test/fhir/R4';
const self = (patientId: string): Session => ({
  accountId: (patientId === 'p1' ? 'f1' : 'f2').repeat(32),
  kind: 'patient',
  organisation: CLINICIAN.organisation,
  roles: [],
  purpose: 'PATRQT',
  patientId,
});
const code = { coding: [{ system: 'http://loinc.org', code: '8867-4' }], text: CANARY };
const reference = (to: string) => ({ reference: to });

/** One record of each way to name two patients; p1 comes first in all of them. */
const RECORDS: Record<string, Record<string, unknown>> = {
  'Observation/performer': {
    status: 'final',
    code,
    subject: reference('Patient/p1'),
    performer: [reference('Patient/p2')],
  },
  'Observation/focus': {
    status: 'final',
    code,
    subject: reference('Patient/p1'),
    focus: [reference('Patient/p2')],
  },
  'Observation/version': {
    status: 'final',
    code,
    subject: reference('Patient/p1'),
    performer: [reference('Patient/p2/_history/1')],
  },
  'Observation/absolute': {
    status: 'final',
    code,
    subject: reference('Patient/p1'),
    performer: [reference(`${BASE}/Patient/p2`)],
  },
  'Observation/extension': {
    status: 'final',
    code,
    subject: reference('Patient/p1'),
    extension: [{ url: 'urn:x', valueReference: reference('Patient/p2') }],
  },
  'Appointment/both': {
    status: 'booked',
    start: '2026-03-01T10:00:00Z',
    end: '2026-03-01T11:00:00Z',
    description: CANARY,
    participant: ['p1', 'p2'].map((id) => ({ actor: reference(`Patient/${id}`), status: 'accepted' })),
  },
  'Group/members': {
    type: 'person',
    actual: true,
    name: CANARY,
    member: ['p1', 'p2'].map((id) => ({ entity: reference(`Patient/${id}`) })),
  },
  'List/items': {
    status: 'current',
    mode: 'working',
    title: CANARY,
    entry: ['p1', 'p2'].map((id) => ({ item: reference(`Patient/${id}`) })),
  },
  'Task/both': {
    status: 'requested',
    intent: 'order',
    description: CANARY,
    for: reference('Patient/p1'),
    requester: reference('Patient/p2'),
  },
  'Bundle/document': {
    type: 'collection',
    entry: ['p1', 'p2'].map((id) => ({
      fullUrl: `urn:uuid:11111111-2222-3333-4444-00000000000${id.slice(1)}`,
      resource: { resourceType: 'Patient', id, name: [{ text: CANARY }] },
    })),
  },
};
/** What says whom it is about, and merely names the other. */
const OWN_OF_P1 = Object.keys(RECORDS).filter((key) => /^(Observation|Task)/.test(key));

let world: FhirWorld;
before(async () => {
  world = await createFhirWorld();
  for (const id of ['p1', 'p2'])
    await world.send(CLINICIAN, 'PUT', `/Patient/${id}`, { resourceType: 'Patient', id });
  for (const [key, content] of Object.entries(RECORDS)) {
    const [resourceType, id] = key.split('/');
    const written = await world.send(CLINICIAN, 'PUT', `/${key}`, { resourceType, id, ...content });
    assert.equal(written.status, 201, written.body);
  }
});
after(() => world.close());
beforeEach(() => world.consents.clear());

const OPT_IN = fhirConsent('OPTIN', { actor: [actor(OUTSIDER.accountId)] });
const say = (patient: string, consent: unknown) => world.consents.set(patient, [activeConsent(1, consent)]);

/** Whether the reader sees the record by each way there is; a mixed answer is a failure. */
async function sees(session: Session, key: string): Promise<boolean> {
  const [type = '', id = ''] = key.split('/');
  const replies = [];
  for (const url of [`/${key}`, `/${key}/_history/1`, `/${key}/_history`, `/${type}?_id=${id}`])
    replies.push(await world.send(session, 'GET', url));
  const shown = replies.map(({ body }) => body.includes(CANARY));
  assert.equal(new Set(shown).size, 1, `${key}: ${shown}`);
  return shown[0] as boolean;
}

async function entriesOf(patient: string): Promise<AccessLogEntry[]> {
  const entries = await world.vault.accessLog.listBySubject(patient, { limit: 1 });
  return entries.map(({ bytes }) => decodeAccessEntry(bytes as Uint8Array));
}

for (const key of Object.keys(RECORDS)) {
  test(`${key}: one patient’s permission is not enough, both are`, async () => {
    assert.equal(await sees(OUTSIDER, key), false);
    say('p1', OPT_IN);
    assert.equal(await sees(OUTSIDER, key), false, 'p1 alone');
    world.consents.clear();
    say('p2', OPT_IN);
    assert.equal(await sees(OUTSIDER, key), false, 'p2 alone');
    say('p1', OPT_IN);
    assert.equal(await sees(OUTSIDER, key), true, 'both');
  });

  test(`${key}: the denial of either overrides, in reading and in writing`, async () => {
    assert.equal(await sees(CLINICIAN, key), true);
    for (const patient of ['p1', 'p2']) {
      world.consents.clear();
      say(patient, fhirConsent('OPTOUT', { actor: [actor(CLINICIAN.accountId)] }));
      assert.equal(await sees(CLINICIAN, key), false, patient);
      const [resourceType, id] = key.split('/');
      const changed = { resourceType, id, ...RECORDS[key], language: 'en' };
      assert.ok((await world.send(CLINICIAN, 'PUT', `/${key}`, changed)).status >= 400, patient);
      assert.ok((await world.send(CLINICIAN, 'DELETE', `/${key}`)).status >= 400, patient);
    }
  });

  test(`${key}: who is in it beside others reads it if it is their own, or if the others permit`, async () => {
    assert.equal(await sees(self('p1'), key), OWN_OF_P1.includes(key));
    assert.equal(await sees(self('p2'), key), false);
    say('p1', fhirConsent('OPTIN', { actor: [actor(self('p2').accountId)] }));
    assert.equal(await sees(self('p2'), key), true);
  });

  test(`${key}: the log of each patient tells of it, and nothing of what the other one said`, async () => {
    say('p1', OPT_IN);
    await world.send(OUTSIDER, 'GET', `/${key}`);
    const [ofFirst] = await entriesOf('p1');
    const [ofSecond] = await entriesOf('p2');
    const [type, id] = key.split('/');
    for (const entry of [ofFirst, ofSecond]) {
      assert.deepEqual(entry?.records, [{ type, id, version: 1 }]);
      assert.equal(entry?.effect, 'deny');
    }
    assert.equal(ofFirst?.reason, 'named-patient-denies');
    assert.equal(ofFirst?.consents.length, 1);
    assert.equal(ofSecond?.reason, 'no-consent');
    assert.deepEqual(ofSecond?.consents, []);
    say('p2', OPT_IN);
    const promises = (await world.send(OUTSIDER, 'GET', `/${key}`)).headers['careledger-log-promise'];
    assert.equal(promises?.split(',').length, 2, 'a promise for each entry');
  });
}

test('a record of one patient that stops naming the other is that patient’s again; its history is not', async () => {
  const url = '/Observation/changing';
  const observation = { resourceType: 'Observation', id: 'changing', ...RECORDS['Observation/performer'] };
  await world.send(CLINICIAN, 'PUT', url, observation);
  await world.send(CLINICIAN, 'PUT', url, { ...observation, performer: undefined });
  say('p1', OPT_IN);
  assert.equal((await world.send(OUTSIDER, 'GET', url)).status, 200);
  assert.equal((await world.send(OUTSIDER, 'GET', `${url}/_history/1`)).status, 404);
  const history = await world.send(OUTSIDER, 'GET', `${url}/_history`);
  assert.equal((history.json.entry as unknown[]).length, 1);
});

test('a tombstone is as hidden as what it buries', async () => {
  const observation = { resourceType: 'Observation', id: 'gone', ...RECORDS['Observation/performer'] };
  await world.send(CLINICIAN, 'PUT', '/Observation/gone', observation);
  await world.send(CLINICIAN, 'DELETE', '/Observation/gone');
  say('p1', OPT_IN);
  assert.equal((await world.send(OUTSIDER, 'GET', '/Observation/gone')).status, 404);
  say('p2', OPT_IN);
  assert.equal((await world.send(OUTSIDER, 'GET', '/Observation/gone')).status, 410);
});

test('more patients than can be asked are refused', async () => {
  const member = Array.from({ length: 1002 }, (_, number) => ({
    entity: reference(`Patient/many${number}`),
  }));
  const group = { resourceType: 'Group', id: 'many', type: 'person', actual: true, member };
  assert.equal((await world.send(CLINICIAN, 'PUT', '/Group/many', group)).status, 422);
});
