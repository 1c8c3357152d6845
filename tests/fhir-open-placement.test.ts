/** Records of which nobody can tell whose they are: they are for who wrote them alone, until that one writes them again. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { decodeAccessEntry, type Session } from '../src/fhir/index.ts';
import { activeConsent, actor, fhirConsent } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld, OUTSIDER } from './support/fhir-world.ts';

const OWN_BASE = 'http://test/fhir/R4';
const CANARY = 'canary-90e4';
const COLLEAGUE: Session = { ...CLINICIAN, accountId: '03'.repeat(32) };
const BREAK_GLASS: Session = { ...COLLEAGUE, purpose: 'ETREAT' };
const OTHERS = { COLLEAGUE, BREAK_GLASS, OUTSIDER };
const reference = (to: string) => ({ reference: to });
const COUNT = { status: 'final', code: { text: CANARY } };
const SCAN = { contentType: 'text/plain', data: 'eA==', language: CANARY };
const encounterOf = (patient: string) => ({
  status: 'finished',
  class: { code: 'AMB' },
  subject: reference(`Patient/${patient}`),
});
const noteOf = (patient: string, url: string) => ({
  status: 'current',
  subject: reference(`Patient/${patient}`),
  content: [{ attachment: { url } }],
});

/** In the order that they are written in: each refers to what is not there, or to what is open itself. */
const OPEN: Record<string, Record<string, unknown>> = {
  'Observation/early': { ...COUNT, encounter: reference('Encounter/absent') },
  'Provenance/early': {
    target: [reference('Encounter/absent')],
    recorded: '2026-03-01T10:00:00Z',
    agent: [{ who: { display: CANARY } }],
  },
  'DiagnosticReport/early': { ...COUNT, result: [reference('Observation/early')] },
  'Observation/ring': { ...COUNT, hasMember: [reference('Observation/ring2')] },
  'Observation/ring2': { ...COUNT, hasMember: [reference('Observation/ring')] },
  'Communication/sent': {
    status: 'completed',
    encounter: reference('Encounter/absent'),
    sender: reference('Patient/p2'),
    payload: [{ contentString: CANARY }],
  },
  'DocumentReference/attached': { status: 'current', content: [{ attachment: { url: 'Binary/absent' } }] },
  'Group/of-absent': { type: 'person', actual: true, managingEntity: reference('RelatedPerson/absent') },
  'Observation/of-open-group': { ...COUNT, subject: reference('Group/of-absent') },
  'Binary/scan': SCAN,
  'Binary/elsewhere': { ...SCAN, securityContext: reference('http://elsewhere/fhir/DocumentReference/d1') },
  'Binary/directory': { ...SCAN, securityContext: reference('Organization/o1') },
};

let world: FhirWorld;
const send = (session: Session, method: string, url: string, body?: unknown, headers = {}) =>
  world.send(session, method, url, body, headers);
const resourceOf = (key: string, content: Record<string, unknown>) => {
  const [resourceType, id] = key.split('/');
  return { resourceType, id, ...content };
};
const put = async (key: string, content: Record<string, unknown>, session = CLINICIAN) =>
  (await send(session, 'PUT', `/${key}`, resourceOf(key, content))).status;
const putEntry = (key: string, content: Record<string, unknown>, fullUrl?: string) => ({
  fullUrl,
  resource: resourceOf(key, content),
  request: { method: 'PUT', url: key },
});
const transact = (entry: unknown[], type = 'transaction') =>
  send(CLINICIAN, 'POST', '/', { resourceType: 'Bundle', type, entry });

before(async () => {
  world = await createFhirWorld();
  for (const id of ['p1', 'p2']) assert.equal(await put(`Patient/${id}`, {}), 201);
  await put('Organization/o1', { name: 'A hospital' });
  for (const [key, content] of Object.entries(OPEN)) assert.equal(await put(key, content), 201, key);
  await put('Composition/seen', {
    status: 'final',
    type: { text: 'x' },
    subject: reference('Patient/p1'),
    date: '2026-03-01',
    author: [{ display: 'x' }],
    title: 'x',
    section: Object.keys(OPEN).map((key) => ({ entry: [reference(key)] })),
  });
});
after(() => world.close());
beforeEach(() => world.consents.clear());

const say = (patient: string, rule: 'OPTIN' | 'OPTOUT', session: Session) =>
  world.consents.set(patient, [activeConsent(1, fhirConsent(rule, { actor: [actor(session.accountId)] }))]);

/** Every way to see a record, or to hear of it. */
const WAYS: readonly ((key: string, type: string, id: string) => readonly [string, unknown?])[] = [
  (key) => [`/${key}`],
  (key) => [`/${key}/_history/1`],
  (key) => [`/${key}/_history`],
  (_key, type) => [`/${type}/_history?_count=1000`],
  (_key, type, id) => [`/${type}?_id=${id}`],
  () => ['/Composition?_id=seen&_include=Composition:entry'],
  (key) => [
    '/',
    { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: key } }] },
  ],
];
async function seen(session: Session, key: string): Promise<boolean[]> {
  const [type = '', id = ''] = key.split('/');
  const shown = [];
  for (const way of WAYS) {
    const [url, body] = way(key, type, id);
    const reply = await send(session, body === undefined ? 'GET' : 'POST', url, body);
    shown.push(reply.body.includes(`"resourceType":"${type}","id":"${id}"`) || isIn(reply.json, type, id));
  }
  return shown;
}
function isIn(value: unknown, type: string, id: string): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { resourceType, id: own } = value as { resourceType?: unknown; id?: unknown };
  return (resourceType === type && own === id) || Object.values(value).some((one) => isIn(one, type, id));
}
const all = (isShown: boolean) => WAYS.map(() => isShown);

for (const key of Object.keys(OPEN)) {
  const [type = '', id = ''] = key.split('/');

  test(`${key}: its author sees it in every way, and nobody else in any`, async () => {
    assert.deepEqual(await seen(CLINICIAN, key), all(true));
    for (const [name, session] of Object.entries(OTHERS)) {
      assert.deepEqual(await seen(session, key), all(false), name);
      const absent = await send(session, 'GET', `/${type}/not-there`);
      const denied = await send(session, 'GET', `/${key}`);
      assert.deepEqual([denied.status, denied.body], [absent.status, absent.body], name);
      const count = await send(session, 'GET', `/${type}?_id=${id}&_summary=count`);
      assert.equal(count.json.total, 0, name);
    }
  });

  test(`${key}: nobody else changes or deletes it`, async () => {
    const patch = [{ op: 'add', path: '/language', value: 'en' }];
    for (const session of [COLLEAGUE, BREAK_GLASS]) {
      assert.equal(await put(key, { ...OPEN[key], language: 'en' }, session), 403);
      assert.equal(await put(key, OPEN[key] ?? {}, session), 403, 'not even as it is');
      const json = { 'content-type': 'application/json-patch+json' };
      assert.equal((await send(session, 'PATCH', `/${key}`, patch, json)).status, 404);
      assert.equal((await send(session, 'DELETE', `/${key}`)).status, 404);
      await send(session, 'DELETE', `/${type}?_id=${id}`);
    }
    assert.equal((await send(CLINICIAN, 'GET', `/${key}`)).json.meta?.versionId, '1');
  });
}

test('no chain and no reverse chain goes through it', async () => {
  const paths = [
    '/DiagnosticReport?result:Observation._id=early',
    '/Observation?_has:DiagnosticReport:result:_id=early',
    '/DiagnosticReport?result:Observation.status=final',
  ];
  for (const path of paths) {
    assert.equal((await send(CLINICIAN, 'GET', path)).json.total, 1, path);
    assert.equal((await send(COLLEAGUE, 'GET', path)).json.total, 0, path);
  }
});

test('a denial of it is in the log like any other', async () => {
  await send(COLLEAGUE, 'GET', '/Binary/scan');
  const [entry] = await world.vault.accessLog.listBySubject(null as never, { limit: 1 });
  const { effect, reason, records, actor: who } = decodeAccessEntry(entry?.bytes as Uint8Array);
  assert.deepEqual([effect, reason, who.accountId], ['deny', 'no-subject', COLLEAGUE.accountId]);
  assert.deepEqual(records, [{ type: 'Binary', id: 'scan', version: 1 }]);
});

test('what is nobody’s and refers to nothing that may be somebody’s stays under the rule for that', async () => {
  await put('Practitioner/x', {});
  await put('Observation/none', { ...COUNT, performer: [reference('Practitioner/x')] });
  await put('Observation/elsewhere', {
    ...COUNT,
    encounter: reference('http://elsewhere/fhir/Encounter/e1'),
  });
  for (const id of ['none', 'elsewhere'])
    assert.equal((await send(COLLEAGUE, 'GET', `/Observation/${id}`)).status, 200, id);
});

test('a record that comes later opens nothing and closes nothing; its author puts it there by writing it again', async () => {
  const late = { ...COUNT, encounter: reference('Encounter/late') };
  await put('Observation/late', late);
  assert.equal(await put('Observation/late', late), 200);
  assert.equal(await put('Encounter/late', encounterOf('p1')), 201);
  say('p1', 'OPTIN', OUTSIDER);
  for (const session of Object.values(OTHERS))
    assert.equal((await send(session, 'GET', '/Observation/late')).status, 404);
  const placed = await send(CLINICIAN, 'PUT', '/Observation/late', resourceOf('Observation/late', late));
  assert.deepEqual(
    [placed.status, placed.json.meta?.versionId],
    [200, '2'],
    'the first time changed nothing',
  );
  for (const session of Object.values(OTHERS))
    assert.equal((await send(session, 'GET', '/Observation/late')).status, 200);
  assert.equal((await send(COLLEAGUE, 'GET', '/Observation/late/_history/1')).status, 404);
  assert.equal((await send(CLINICIAN, 'GET', '/Observation/late/_history/1')).status, 200);
  say('p1', 'OPTOUT', CLINICIAN);
  for (const path of ['/Observation/late', '/Observation/late/_history/1'])
    assert.equal((await send(CLINICIAN, 'GET', path)).status, 404, path);
});

test('the author who may not write about the patient cannot put it there', async () => {
  const late = { ...COUNT, encounter: reference('Encounter/denied') };
  await put('Observation/denied', late);
  await put('Encounter/denied', encounterOf('p1'));
  say('p1', 'OPTOUT', CLINICIAN);
  assert.equal(await put('Observation/denied', late), 403);
});

test('what was nobody’s is its author’s alone while its record is', async () => {
  await put('Observation/turned', COUNT, COLLEAGUE);
  await put('Observation/turned', { ...COUNT, encounter: reference('Encounter/absent') });
  for (const [session, status] of [
    [COLLEAGUE, 200],
    [CLINICIAN, 404],
  ] as const)
    assert.equal((await send(session, 'GET', '/Observation/turned/_history/1')).status, status);
});

test('deleted, it is its author’s alone still', async () => {
  await put('Binary/deleted', SCAN);
  assert.equal((await send(CLINICIAN, 'DELETE', '/Binary/deleted')).status, 204);
  assert.equal((await send(CLINICIAN, 'GET', '/Binary/deleted')).status, 410);
  assert.equal((await send(COLLEAGUE, 'GET', '/Binary/deleted')).status, 404);
  assert.equal(await put('Binary/deleted', SCAN, COLLEAGUE), 403);
  assert.equal(await put('Binary/deleted', SCAN), 201);
});

test('a Binary is put under the patients of what names it in the same transaction', async () => {
  const scan = 'urn:uuid:0b1a4c9e-3b34-4a0a-9a3e-0d6f6f9a7c01';
  const { securityContext: _none, ...content } = SCAN as Record<string, unknown>;
  const posted = {
    fullUrl: scan,
    resource: { resourceType: 'Binary', ...content },
    request: { method: 'POST', url: 'Binary' },
  };
  const notePosted = {
    resource: { resourceType: 'DocumentReference', ...noteOf('p2', scan) },
    request: { method: 'POST', url: 'DocumentReference' },
  };
  const bundle = [
    putEntry('Binary/named', SCAN),
    putEntry('Binary/two', SCAN),
    putEntry('Binary/unnamed', SCAN),
    putEntry('Binary/foreign', SCAN),
    putEntry('DocumentReference/named', noteOf('p1', 'Binary/named')),
    putEntry('DocumentReference/two', noteOf('p1', 'http://test/fhir/R4/Binary/two/_history/1')),
    putEntry('DocumentReference/two2', noteOf('p2', 'Binary/two')),
    putEntry('DocumentReference/foreign', noteOf('p1', 'http://elsewhere/fhir/Binary/foreign')),
  ];
  const reply = await transact([posted, notePosted, ...bundle]);
  assert.equal(reply.status, 200, reply.body);
  const [first] = reply.json.entry as unknown as { response: { location: string } }[];
  const binaries = ['Binary/named', 'Binary/two', first?.response.location.replace(/\/_history.*/, '') ?? ''];
  const statuses = async (session: Session, keys: readonly string[]) =>
    Promise.all(keys.map(async (key) => (await send(session, 'GET', `/${key}`)).status));
  assert.deepEqual(await statuses(COLLEAGUE, binaries), [200, 200, 200]);
  assert.deepEqual(await statuses(COLLEAGUE, ['Binary/unnamed', 'Binary/foreign']), [404, 404]);
  say('p1', 'OPTIN', OUTSIDER);
  assert.deepEqual(await statuses(OUTSIDER, binaries), [200, 404, 404]);
  say('p2', 'OPTOUT', COLLEAGUE);
  assert.deepEqual(await statuses(COLLEAGUE, binaries), [200, 404, 404]);
  world.consents.clear();
  await transact(bundle);
  assert.equal((await send(CLINICIAN, 'GET', '/Binary/named')).json.meta?.versionId, '1', 'sent again');
});

test('a Binary that was open is put where the entry of a transaction says that names it, changed or not', async () => {
  await put('Binary/sent-first', SCAN);
  await put('DocumentReference/sent-second', noteOf('p1', 'Binary/sent-first'));
  assert.equal((await send(COLLEAGUE, 'GET', '/Binary/sent-first')).status, 404);
  const entries = [
    putEntry('Binary/sent-first', SCAN),
    putEntry('DocumentReference/sent-second', noteOf('p1', 'Binary/sent-first')),
  ];
  await transact(entries, 'batch');
  assert.equal(
    (await send(COLLEAGUE, 'GET', '/Binary/sent-first')).status,
    404,
    'in a batch each is by itself',
  );
  await transact(entries);
  assert.equal((await send(COLLEAGUE, 'GET', '/Binary/sent-first')).status, 200);
});

test('the erasure of the patient of whom it may be opens nothing', async () => {
  await put('Patient/gone', {});
  await put('Observation/of-gone', { ...COUNT, encounter: reference('Encounter/of-gone') });
  await put('Encounter/of-gone', encounterOf('gone'));
  await put('Observation/once', COUNT);
  await put('Observation/once', { ...COUNT, subject: reference('Patient/gone') });
  await put('Binary/of-gone', SCAN);
  await put('DocumentReference/of-gone', noteOf('gone', 'Binary/of-gone'));
  const statuses = async (session: Session) => [
    (await send(session, 'GET', '/Observation/of-gone')).status,
    (await send(session, 'GET', '/Binary/of-gone')).status,
  ];
  assert.deepEqual(await statuses(COLLEAGUE), [404, 404]);
  await world.vault.erase({ subject: 'gone' });
  assert.equal((await send(CLINICIAN, 'GET', '/Encounter/of-gone')).status, 404);
  assert.deepEqual(await statuses(COLLEAGUE), [404, 404]);
  assert.deepEqual(await statuses(CLINICIAN), [200, 200]);
  for (const path of ['/Observation/once/_history/1', '/Observation/once/_history', '/Observation/once'])
    assert.equal((await send(COLLEAGUE, 'GET', path)).status, 404, path);
  const all = await send(COLLEAGUE, 'GET', '/Observation/_history?_count=1000');
  assert.ok(!isIn(all.json, 'Observation', 'once'), 'what was nobody’s before is not opened either');
});

test('what belongs to a diary, a device in stock or a group of animals is nobody’s for good, and open to colleagues', async () => {
  const none: Record<string, Record<string, unknown>> = {
    'Schedule/diary': { actor: [reference('Organization/o1')] },
    'Slot/ten': {
      schedule: reference('Schedule/diary'),
      status: 'free',
      start: '2026-03-01T10:00:00Z',
      end: '2026-03-01T10:20:00Z',
    },
    'Group/herd': { type: 'animal', actual: true },
    'Observation/herd': { ...COUNT, subject: reference('Group/herd') },
  };
  for (const [key, content] of Object.entries(none)) assert.equal(await put(key, content), 201, key);
  for (const key of Object.keys(none))
    assert.equal((await send(COLLEAGUE, 'GET', `/${key}`)).status, 200, key);
});

test('a transaction writes first what says whose the others are, however they name it', async () => {
  // More than are written at once.
  const early = Array.from({ length: 70 }, (_, at) =>
    putEntry(`Observation/spelt${at}`, {
      ...COUNT,
      encounter: reference(`${OWN_BASE}/Encounter/later#part`),
    }),
  );
  const reply = await transact([...early, putEntry('Encounter/later', encounterOf('p1'))]);
  assert.equal(reply.status, 200, reply.body);
  for (const { request } of early)
    assert.equal((await send(COLLEAGUE, 'GET', `/${request.url}`)).status, 200, request.url);
});
