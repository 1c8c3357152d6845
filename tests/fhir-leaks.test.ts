/** Whether a record exists must not be told by what is beside the content: preconditions, entity tags, promises, tombstones. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { redactResource } from '../src/fhir/gate/redact.ts';
import { replyOf } from '../src/fhir/http/reply.ts';
import { DEFAULT_LABEL_TABLE, type Session } from '../src/fhir/index.ts';
import { activeConsent, actor, concept, fhirConsent, SYSTEM } from './consent/fhir-consent.ts';
import {
  CLINICIAN,
  createFhirWorld,
  type FhirReply,
  type FhirWorld,
  OUTSIDER,
} from './support/fhir-world.ts';

const CANARY = 'canary-90ce';
const B20 = { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'B20' }] };
const DEVICE: Session = {
  ...CLINICIAN,
  accountId: '03'.repeat(32),
  kind: 'device',
  roles: ['medical-device'],
};
let world: FhirWorld;

const observation = (id: string) => ({
  resourceType: 'Observation',
  id,
  identifier: [{ system: 'urn:x', value: CANARY }],
  status: 'final',
  code: { coding: [{ system: SYSTEM.loinc, code: '8867-4' }] },
  subject: { reference: 'Patient/p1' },
});

before(async () => {
  world = await createFhirWorld();
  await world.send(CLINICIAN, 'PUT', '/Patient/p1', { resourceType: 'Patient', id: 'p1' });
  await world.send(CLINICIAN, 'PUT', '/Observation/hidden', observation('hidden'));
  await world.send(CLINICIAN, 'PUT', '/Observation/deleted', observation('deleted'));
  await world.send(CLINICIAN, 'DELETE', '/Observation/deleted');
});
after(() => world.close());

/** Status, headers and body, without what differs from one answer to the next and without the id that was asked for. */
const plain = ({ status, headers, body }: FhirReply, id: string): string =>
  JSON.stringify([status, headers, body])
    .replaceAll(id, 'ID')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/"last-modified":"[^"]*"/, 'TIME');

const PATCH = [{ op: 'add', path: '/language', value: 'en' }];
type Probe = [method: string, url: string, body?: unknown, headers?: Record<string, string>];
/** Each asks about one id, and must get the same answer whether there is such a record or not. */
const PROBES: Record<string, (id: string) => Probe> = {
  read: (id) => ['GET', `/Observation/${id}`],
  'read unless 1': (id) => ['GET', `/Observation/${id}`, undefined, { 'if-none-match': 'W/"1"' }],
  vread: (id) => ['GET', `/Observation/${id}/_history/1`],
  history: (id) => ['GET', `/Observation/${id}/_history`],
  search: (id) => ['GET', `/Observation?_id=${id}`],
  'search for absence': (id) => ['GET', `/Observation?_id=${id}&identifier:missing=true`],
  'search for a total': (id) => ['GET', `/Observation?_id=${id}&_total=accurate&_summary=count`],
  compartment: (id) => ['GET', `/Patient/p1/Observation?_id=${id}`],
  patch: (id) => ['PATCH', `/Observation/${id}`, PATCH],
  'patch 1': (id) => ['PATCH', `/Observation/${id}`, PATCH, { 'if-match': 'W/"1"' }],
  delete: (id) => ['DELETE', `/Observation/${id}`],
  'delete 1': (id) => ['DELETE', `/Observation/${id}`, undefined, { 'if-match': 'W/"1"' }],
  'delete 2': (id) => ['DELETE', `/Observation/${id}`, undefined, { 'if-match': 'W/"2"' }],
  update: (id) => ['PUT', `/Observation/${id}`, observation(id)],
  'update 1': (id) => ['PUT', `/Observation/${id}`, observation(id), { 'if-match': 'W/"1"' }],
  'update 2': (id) => ['PUT', `/Observation/${id}`, observation(id), { 'if-match': 'W/"2"' }],
  'update any': (id) => ['PUT', `/Observation/${id}`, observation(id), { 'if-match': '*' }],
  'update unless there': (id) => ['PUT', `/Observation/${id}`, observation(id), { 'if-none-match': '*' }],
  'update unless 1': (id) => ['PUT', `/Observation/${id}`, observation(id), { 'if-none-match': 'W/"1"' }],
  'patch unless there': (id) => ['PATCH', `/Observation/${id}`, PATCH, { 'if-none-match': '*' }],
  'delete any': (id) => ['DELETE', `/Observation/${id}`, undefined, { 'if-match': '*' }],
  'delete unless there': (id) => ['DELETE', `/Observation/${id}`, undefined, { 'if-none-match': '*' }],
  'delete what is found': (id) => ['DELETE', `/Observation?_id=${id}`, undefined, { 'if-match': '*' }],
  'create unless found': (id) => ['POST', '/Observation', observation(id), { 'if-none-exist': `_id=${id}` }],
  'batch of a read': (id) => [
    'POST',
    '/',
    {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [{ request: { method: 'GET', url: `Observation/${id}` } }],
    },
  ],
  'transaction of a read': (id) => [
    'POST',
    '/',
    {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [{ request: { method: 'GET', url: `Observation/${id}` } }],
    },
  ],
  'transaction of a delete': (id) => [
    'POST',
    '/',
    {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [{ request: { method: 'DELETE', url: `Observation/${id}` } }],
    },
  ],
};

for (const [name, probe] of Object.entries(PROBES)) {
  for (const id of ['hidden', 'deleted']) {
    test(`${name}: a record that is ${id} is answered as one that never was`, async () => {
      const about = await world.send(OUTSIDER, ...probe(id));
      const control = await world.send(OUTSIDER, ...probe('never'));
      assert.equal(plain(about, id), plain(control, 'never'));
      assert.ok(!JSON.stringify(about.headers).includes(CANARY));
    });
  }
}

test('who may know what is there, learns of a wrong version, and of a deletion', async () => {
  const wrong = { 'if-match': 'W/"7"' };
  assert.equal(
    (await world.send(CLINICIAN, 'PUT', '/Observation/hidden', observation('hidden'), wrong)).status,
    412,
  );
  assert.equal((await world.send(CLINICIAN, 'DELETE', '/Observation/hidden', undefined, wrong)).status, 412);
  assert.equal((await world.send(CLINICIAN, 'DELETE', '/Observation/deleted')).status, 204);
  assert.equal((await world.send(CLINICIAN, 'GET', '/Observation/deleted')).status, 410);
});

test('a device that may write and not read gets nothing back by patching', async () => {
  const written = observation('measured');
  assert.equal((await world.send(DEVICE, 'PUT', '/Observation/measured', written)).status, 201);
  const again = { ...written, language: 'en' };
  const updated = await world.send(DEVICE, 'PUT', '/Observation/measured', again, { 'if-match': 'W/"1"' });
  assert.equal(updated.status, 200, 'it knows the entity tag of what it wrote');
  for (const patch of [PATCH, [{ op: 'test', path: '/status', value: 'final' }]]) {
    const reply = await world.send(DEVICE, 'PATCH', '/Observation/measured', patch);
    assert.equal(reply.status, 404);
    assert.ok(!reply.body.includes(CANARY));
  }
});

test('who sees a record in part neither patches it nor writes the view back', async () => {
  world.consents.set('p6', [activeConsent(6, fhirConsent('OPTIN'))]);
  await world.send(CLINICIAN, 'PUT', '/Patient/p6', { resourceType: 'Patient', id: 'p6' });
  const order = {
    resourceType: 'ServiceRequest',
    id: 'partly',
    status: 'active',
    intent: 'order',
    subject: { reference: 'Patient/p6' },
    reasonCode: [{ ...B20, text: CANARY }],
  };
  assert.equal((await world.send(CLINICIAN, 'PUT', '/ServiceRequest/partly', order)).status, 201);
  // A device may write by default; that all may read what is not sensitive lets it see this one without the reason.
  const seen = await world.send(DEVICE, 'GET', '/ServiceRequest/partly');
  assert.deepEqual([seen.status, seen.body.includes(CANARY)], [200, false]);
  const test = [{ op: 'test', path: '/reasonCode/0/text', value: CANARY }];
  const copy = [{ op: 'copy', from: '/reasonCode/0/text', path: '/note' }];
  for (const patch of [PATCH, test, copy]) {
    const reply = await world.send(DEVICE, 'PATCH', '/ServiceRequest/partly', patch);
    assert.deepEqual([reply.status, reply.body.includes(CANARY)], [403, false], JSON.stringify(patch));
  }
  assert.equal((await world.send(DEVICE, 'PUT', '/ServiceRequest/partly', seen.json)).status, 403);
  const whole = await world.send(CLINICIAN, 'GET', '/ServiceRequest/partly');
  assert.deepEqual(
    [whole.json.reasonCode, (whole.json.meta as { versionId: string }).versionId],
    [order.reasonCode, '1'],
  );
});

test('a view without its free text is not written over the text', async () => {
  const hiv = { securityLabel: [{ system: SYSTEM.actCode, code: 'HIV' }] };
  world.consents.set('p7', [activeConsent(7, fhirConsent('OPTOUT', hiv))]);
  await world.send(CLINICIAN, 'PUT', '/Patient/p7', { resourceType: 'Patient', id: 'p7' });
  const text = { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">All is well</div>' };
  const told = { ...observation('told'), subject: { reference: 'Patient/p7' }, text };
  assert.equal((await world.send(CLINICIAN, 'PUT', '/Observation/told', told)).status, 201);
  const view = (await world.send(CLINICIAN, 'GET', '/Observation/told')).json;
  assert.equal(view.text, undefined);
  assert.equal((await world.send(CLINICIAN, 'PUT', '/Observation/told', view)).status, 403);
  assert.equal((await world.send(CLINICIAN, 'PATCH', '/Observation/told', PATCH)).status, 403);
  assert.equal(
    (await world.send(CLINICIAN, 'PUT', '/Observation/told', { ...told, language: 'en' })).status,
    200,
  );
});

test('conditions on what may not be seen are conditions on nothing', async () => {
  const mayAdd = { actor: [actor(OUTSIDER.accountId)], action: [concept(SYSTEM.action, 'collect')] };
  world.consents.set('p1', [activeConsent(1, fhirConsent('OPTIN', mayAdd))]);
  const fresh = { ...observation('x'), identifier: [{ system: 'urn:x', value: 'new' }] };
  const entry = (value: string) => ({
    resource: { ...fresh, hasMember: [{ reference: `Observation?identifier=${value}` }] },
    request: { method: 'POST', url: 'Observation' },
  });
  const conditions: ((value: string) => Probe)[] = [
    (value) => ['POST', '/Observation', fresh, { 'if-none-exist': `identifier=${value}` }],
    (value) => ['PUT', `/Observation?identifier=${value}`, { ...fresh, id: undefined }],
    (value) => ['PATCH', `/Observation?identifier=${value}`, PATCH],
    (value) => ['DELETE', `/Observation?identifier=${value}`],
    (value) => ['POST', '/', { resourceType: 'Bundle', type: 'transaction', entry: [entry(value)] }],
    (value) => ['POST', '/', { resourceType: 'Bundle', type: 'batch', entry: [entry(value)] }],
  ];
  for (const condition of conditions) {
    const about = await world.send(OUTSIDER, ...condition(CANARY));
    const control = await world.send(OUTSIDER, ...condition('no-such-value'));
    const text = (reply: FhirReply) =>
      plain(reply, 'no-id')
        .replaceAll(CANARY, 'X')
        .replaceAll('no-such-value', 'X')
        .replace(/"careledger-log-promise":"[^"]*"/, 'PROMISE');
    assert.equal(text(about), text(control));
  }
  assert.equal(
    (await world.send(CLINICIAN, 'GET', '/Observation/hidden')).status,
    200,
    'nothing was deleted',
  );
});

const promisesIn = ({ headers }: FhirReply): number =>
  (headers['careledger-log-promise'] ?? '').split(',').filter((text) => text !== '').length;

test('how many promises there are does not tell what lies hidden between, nor in a part', async () => {
  for (const id of ['p2', 'p3'])
    await world.send(CLINICIAN, 'PUT', `/Patient/${id}`, { resourceType: 'Patient', id });
  const mayRead = { actor: [actor(OUTSIDER.accountId)], action: [concept(SYSTEM.action, 'access')] };
  world.consents.set('p2', [activeConsent(2, fhirConsent('OPTIN', mayRead))]);
  const condition = (id: string, patient: string) => ({
    resourceType: 'Condition',
    id,
    subject: { reference: `Patient/${patient}` },
    code: { text: 'x' },
    evidence: [{ code: [B20] }],
  });
  for (const [id, patient] of [
    ['c1', 'p2'],
    ['c2', 'p3'],
    ['c3', 'p3'],
    ['c4', 'p2'],
  ] as const)
    assert.equal(
      (await world.send(CLINICIAN, 'PUT', `/Condition/${id}`, condition(id, patient))).status,
      201,
    );

  const history = await world.send(OUTSIDER, 'GET', '/Condition/_history?_count=1');
  assert.equal((history.json.entry as unknown[]).length, 1);
  assert.equal(promisesIn(history), 1, 'both of what it sees were decided alike, so they are one entry');

  const evidence = (code: string) =>
    world.send(OUTSIDER, 'GET', `/Condition?evidence=http://hl7.org/fhir/sid/icd-10-cm%7C${code}`);
  const [about, control] = [await evidence('B20'), await evidence('B99')];
  assert.equal(about.json.total, 0);
  assert.equal(plain(about, 'B20'), plain(control, 'B99'), 'the index finds it, and the requester does not');
  assert.equal((await world.send(CLINICIAN, 'GET', '/Condition?evidence=B20')).json.total, 4);
});

test('how long promises are does not decide how many an answer carries', () => {
  const carried = (length: number): number => {
    const promises = Array.from({ length: 20 }, () => 'x'.repeat(length));
    const reply = replyOf('', { method: 'GET', headers: {} } as never, promises, { status: 200 });
    return promisesIn(reply as FhirReply);
  };
  assert.equal(carried(900), carried(1900));
});

test('a refused write carries one promise, however many patients the record names that it would replace', async () => {
  const performer = ['p1', 'p2', 'p3'].map((id) => ({ reference: `Patient/${id}` }));
  await world.send(CLINICIAN, 'PUT', '/Observation/shared', { ...observation('shared'), performer });
  const put = (id: string) =>
    world.send(OUTSIDER, 'PUT', `/Observation/${id}`, { ...observation(id), subject: undefined });
  const [about, control] = [await put('shared'), await put('never')];
  assert.equal(promisesIn(about), 1);
  assert.equal(plain(about, 'shared'), plain(control, 'never'));
});

test('what a redacted view keeps does not count what was taken out of it', async () => {
  const mayRead = { actor: [actor(OUTSIDER.accountId)], action: [concept(SYSTEM.action, 'access')] };
  world.consents.set('p4', [activeConsent(3, fhirConsent('OPTIN', mayRead))]);
  await world.send(CLINICIAN, 'PUT', '/Patient/p4', { resourceType: 'Patient', id: 'p4' });
  const coded = { extension: [{ url: 'urn:x', valueCodeableConcept: B20 }] };
  const plan = {
    resourceType: 'ServiceRequest',
    id: 'beside',
    status: 'active',
    intent: 'order',
    subject: { reference: 'Patient/p4' },
    instantiatesUri: ['urn:1', 'urn:2'],
    _instantiatesUri: [coded, { id: 'second' }],
  };
  assert.equal((await world.send(CLINICIAN, 'PUT', '/ServiceRequest/beside', plan)).status, 201);
  const seen = (await world.send(OUTSIDER, 'GET', '/ServiceRequest/beside')).json;
  assert.deepEqual(seen._instantiatesUri, [null, { id: 'second' }]);

  const hidden = { resourceType: 'Condition', id: 'h', code: B20, subject: { reference: 'Patient/p4' } };
  const bundle = (entry: readonly unknown[]) =>
    redactResource(
      { resourceType: 'Bundle', type: 'searchset', total: entry.length, entry } as never,
      ['hiv'],
      DEFAULT_LABEL_TABLE,
    );
  assert.deepEqual(bundle([{ resource: hidden }, { resource: plan }]), bundle([{ resource: plan }]));
});

test('a record that turned out to be sensitive is not shown as it was before', async () => {
  const mayRead = { actor: [actor(OUTSIDER.accountId)], action: [concept(SYSTEM.action, 'access')] };
  world.consents.set('p5', [activeConsent(5, fhirConsent('OPTIN', mayRead))]);
  await world.send(CLINICIAN, 'PUT', '/Patient/p5', { resourceType: 'Patient', id: 'p5' });
  const condition = (code: unknown) => ({
    resourceType: 'Condition',
    id: 'turned',
    subject: { reference: 'Patient/p5' },
    code,
    note: [{ text: CANARY }],
  });
  await world.send(CLINICIAN, 'PUT', '/Condition/turned', condition({ text: 'pending' }));
  assert.equal((await world.send(OUTSIDER, 'GET', '/Condition/turned/_history/1')).status, 200);
  await world.send(CLINICIAN, 'PUT', '/Condition/turned', condition(B20));
  for (const url of ['/Condition/turned', '/Condition/turned/_history/1', '/Condition/turned/_history'])
    assert.equal((await world.send(OUTSIDER, 'GET', url)).status, 404, url);
  const all = await world.send(OUTSIDER, 'GET', '/Condition/_history');
  assert.ok(!all.body.includes(CANARY));
  assert.equal((await world.send(CLINICIAN, 'GET', '/Condition/turned/_history/1')).status, 200);
});

test('who may not change what was deleted does not make it another patient’s, nor label what it was', async () => {
  const denied: Session = { ...CLINICIAN, accountId: '04'.repeat(32) };
  const refused = fhirConsent('OPTIN', { provision: [{ type: 'deny', actor: [actor(denied.accountId)] }] });
  for (const id of ['p8', 'p9'])
    await world.send(CLINICIAN, 'PUT', `/Patient/${id}`, { resourceType: 'Patient', id });
  const about = (patient: string, label?: string) => ({
    ...observation('gone'),
    subject: { reference: `Patient/${patient}` },
    ...(label !== undefined && { meta: { security: [{ system: SYSTEM.label, code: label }] } }),
  });
  const put = async (who: Session, resource: object) =>
    (await world.send(who, 'PUT', '/Observation/gone', resource)).status;
  const seen = async (who: Session, version: number) =>
    (await world.send(who, 'GET', `/Observation/gone/_history/${version}`)).status;
  assert.equal(await put(CLINICIAN, about('p8')), 201);
  assert.equal((await world.send(CLINICIAN, 'DELETE', '/Observation/gone')).status, 204);
  world.consents.set('p8', [activeConsent(8, refused)]);
  assert.equal(await put(denied, about('p9', 'mental-health')), 403);

  world.consents.set('p8', [activeConsent(9, fhirConsent('OPTIN'))]);
  assert.deepEqual([await put(CLINICIAN, about('p9', 'mental-health')), await seen(OUTSIDER, 1)], [201, 200]);
  const entries = (await world.send(OUTSIDER, 'GET', '/Observation/gone/_history')).json.entry as object[];
  assert.equal(entries.length, 2, 'what it is to another patient hides nothing of the first');
});

test('a record that was sensitive stays so in its versions before when it is moved to another patient', async () => {
  world.consents.set('p8', [activeConsent(9, fhirConsent('OPTIN'))]);
  const moved = (patient: string, code: object) => ({
    resourceType: 'Condition',
    id: 'moved',
    subject: { reference: `Patient/${patient}` },
    code,
  });
  for (const one of [moved('p8', { text: 'pending' }), moved('p8', B20), moved('p9', { text: 'other' })])
    assert.ok((await world.send(CLINICIAN, 'PUT', '/Condition/moved', one)).status < 300);
  assert.equal((await world.send(OUTSIDER, 'GET', '/Condition/moved/_history/1')).status, 404);
});
