/** What one request may cost: in looks into the index, and in content that is opened for it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Bundle } from '@medplum/fhirtypes';
import { activeConsent, fhirConsent } from './consent/fhir-consent.ts';
import {
  CLINICIAN,
  createFhirWorld,
  type FhirReply,
  type FhirWorld,
  OUTSIDER,
} from './support/fhir-world.ts';

let world: FhirWorld;
before(async () => {
  world = await createFhirWorld({ finds: 300, findsPerEntry: 10, characters: 64_000 });
  await put({ resourceType: 'Patient', id: 'p1', birthDate: '2000-01-01' });
  await put({ resourceType: 'Patient', id: 'p2' });
  await put(documentOf('p1', 'long'));
  await put({ resourceType: 'Location', id: 'ward', name: 'ward' });
});
after(() => world.close());

const documentOf = (patient: string, id: string) => ({
  resourceType: 'DocumentReference',
  id,
  status: 'current',
  subject: { reference: `Patient/${patient}` },
  content: [{ attachment: { contentType: 'text/plain', data: 'eHh4'.repeat(2000) } }],
});
const get = (url: string) => world.send(CLINICIAN, 'GET', url);
async function put(resource: { resourceType: string; id: string } & Record<string, unknown>): Promise<void> {
  const reply = await world.send(CLINICIAN, 'PUT', `/${resource.resourceType}/${resource.id}`, resource);
  assert.equal(reply.status, 201, reply.body.slice(0, 500));
}
const bundle = (type: string, entry: unknown[]) => ({ resourceType: 'Bundle', type, entry });
const reading = (url: string) => ({ request: { method: 'GET', url } });
const entriesOf = (reply: FhirReply) => (reply.json as unknown as Bundle).entry ?? [];
const statuses = (reply: FhirReply) => entriesOf(reply).map(({ response }) => response?.status);
/** Whatever it is refused for, the refusal says what to do. */
function assertTooMany(reply: FhirReply, advice: RegExp): void {
  assert.equal(reply.status, 413, reply.body.slice(0, 200));
  assert.match(reply.body, advice);
}

test('links to anything are followed as far as a request may look, and no further', async () => {
  assert.equal((await get('/Basic?subject._id=x')).status, 200);
  assertTooMany(await get('/Basic?subject.derived-from.derived-from.subject._id=x'), /Name the types/);
  assertTooMany(await get('/Basic?subject._id=x&subject._id=y&subject._id=z'), /Name the types/);
});

test('the entries of a bundle share what it may look for, which grows with them', async () => {
  const plain = Array.from({ length: 150 }, () => reading('Location?name=ward'));
  const links = Array.from({ length: 18 }, () => reading('Basic?subject._id=x'));
  const answered = statuses(await world.send(CLINICIAN, 'POST', '/', bundle('batch', [...plain, ...links])));
  assert.deepEqual(new Set(answered.slice(0, 150)), new Set(['200']));
  assert.equal(answered[150], '200');
  assert.equal(answered.at(-1), '413');
});

test('other requests have their turn while one looks into many indexes', async () => {
  let turns = 0;
  let isAnswered = false;
  const takeTurn = () => {
    turns += 1;
    if (!isAnswered) setImmediate(takeTurn);
  };
  setImmediate(takeTurn);
  await get('/Basic?subject._id=x');
  isAnswered = true;
  assert.ok(turns > 3, String(turns));
});

test('a batch opens so much, and from there on nothing', async () => {
  const entries = [...Array(9).fill(reading('DocumentReference/long')), reading('Location/ward')];
  const reply = await world.send(CLINICIAN, 'POST', '/', bundle('batch', entries));
  assert.equal(reply.status, 200);
  assert.deepEqual(statuses(reply), [...Array(7).fill('200'), '413', '413', '413']);
  assert.match(JSON.stringify(entriesOf(reply)[7]), /in parts/);
  assertTooMany(await world.send(CLINICIAN, 'POST', '/', bundle('transaction', entries)), /in parts/);
});

test('what is opened for nobody to see counts for nothing', async () => {
  await world.send(OUTSIDER, 'GET', '/DocumentReference/long');
  const entries = [...Array(9).fill(reading('DocumentReference/long')), reading('Location/ward')];
  const reply = await world.send(OUTSIDER, 'POST', '/', bundle('batch', entries));
  assert.deepEqual(statuses(reply), [...Array(9).fill('404'), '200']);
});

test('what is opened and does not match, for its hidden part, counts for nothing', async () => {
  world.consents.set('p2', [activeConsent(1, fhirConsent('OPTIN'))]);
  await put(documentOf('p2', 'seen'));
  await put({
    resourceType: 'Observation',
    id: 'panel',
    status: 'final',
    code: { text: 'panel' },
    subject: { reference: 'Patient/p2' },
    note: [{ text: 'x'.repeat(8000) }],
    component: [{ code: { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'B20' }] } }],
  });
  const answers = async (...urls: string[]) => {
    const entries = [...Array(7).fill('DocumentReference/seen'), ...urls].map(reading);
    return statuses(await world.send(OUTSIDER, 'POST', '/', bundle('batch', entries))).slice(7);
  };
  assert.deepEqual(await answers('Observation/panel'), ['413']);
  assert.deepEqual(
    await answers(
      'Observation?combo-code=B20&status:not=preliminary',
      'Observation?status=final&_summary=count',
      'Location/ward',
    ),
    ['200', '200', '200'],
  );
});

const patching = (operation: Record<string, unknown>) => ({
  request: { method: 'PATCH', url: 'DocumentReference/long' },
  resource: {
    resourceType: 'Binary',
    contentType: 'application/json-patch+json',
    data: Buffer.from(JSON.stringify([operation])).toString('base64'),
  },
});

test('a patch counts what it reads, also when it fails, and what it makes of it', async () => {
  const answered = async (operation: Record<string, unknown>) =>
    statuses(await world.send(CLINICIAN, 'POST', '/', bundle('batch', Array(8).fill(patching(operation)))));
  const made = await answered({ op: 'replace', path: '/status', value: 'current' });
  assert.deepEqual(made, [...Array(3).fill('200'), ...Array(5).fill('413')]);
  const failed = await answered({ op: 'test', path: '/status', value: 'superseded' });
  assert.deepEqual(failed, [...Array(7).fill('400'), '413']);
});

test('histories and pages count what they answer with', async () => {
  const ways = [
    reading('DocumentReference/long/_history?_count=1'),
    reading('DocumentReference?_id=long'),
    reading('DocumentReference?_sort=_id&_id=long'),
  ];
  for (const way of ways) {
    const reply = await world.send(CLINICIAN, 'POST', '/', bundle('batch', Array(8).fill(way)));
    assert.deepEqual(statuses(reply), [...Array(7).fill('200'), '413'], JSON.stringify(way).slice(0, 99));
  }
});

test('texts that look like references or systems without end are read as soon as any of their length', async () => {
  const many = 900_000;
  const observation = (over: Record<string, unknown>) => ({
    resourceType: 'Observation',
    id: 'hostile',
    status: 'final',
    code: { text: 'hostile' },
    ...over,
  });
  const hostile = [
    observation({ subject: { reference: `${'/_history/'.repeat(many / 20)}\nx` } }),
    observation({ subject: { reference: `${'#'.repeat(many)}\nx` } }),
    observation({ code: { coding: [{ system: `http://x${'/'.repeat(many)}x`, code: 'x' }] } }),
  ];
  for (const resource of hostile) {
    const entry = { resource, request: { method: 'PUT', url: 'Observation/hostile' } };
    for (const type of ['batch', 'transaction'])
      assert.ok((await world.send(OUTSIDER, 'POST', '/', bundle(type, [entry]))).status < 500, type);
  }
  const focus = [{ reference: 'A'.repeat(many), display: 'x' }];
  await put({ ...observation({ subject: { reference: 'Patient/p2' }, focus }), id: 'hostile' });
  assert.equal((await world.send(OUTSIDER, 'GET', '/Observation/hostile')).status, 413);
});

test('a list that says how to answer counts each of its items once, and has an end', async () => {
  const twice = await get('/?_type=Location,Location&_sort=_id,-_id,_id,,&_elements=name,name,');
  assert.equal(twice.status, 200, twice.body);
  assert.equal(twice.json.total, 1);
  assert.equal((await get(`/Patient?_sort=${Array(500).fill('birthdate').join()}`)).status, 200);
  const codes = Array.from({ length: 101 }, (_, at) => `a${at}`);
  assertTooMany(await get(`/Patient?_sort=${codes.slice(0, 11).join()}`), /Name fewer/);
  assertTooMany(await get(`/Patient?_elements=${codes.join()}`), /Name fewer/);
  await put({
    resourceType: 'Encounter',
    id: 'e1',
    status: 'finished',
    class: { code: 'AMB' },
    subject: { reference: 'Patient/p1' },
  });
  const rule = '_revinclude=Encounter:subject';
  const included = await get(
    `/Patient?_id=p1&${Array.from({ length: 90 }, (_, at) => `${rule}:Patient:${at}`).join('&')}`,
  );
  assert.equal(entriesOf(included).length, 2);
});

test('a transaction that others wait for does not search', async () => {
  const conditional = {
    request: { method: 'POST', url: 'Location', ifNoneExist: 'name=ward' },
    resource: { resourceType: 'Location', name: 'ward' },
  };
  const send = (...entry: unknown[]) => world.send(CLINICIAN, 'POST', '/', bundle('transaction', entry));
  for (const url of [
    'Encounter?_sort=date',
    'Encounter',
    'Patient/_history',
    'Patient/p1/_history',
    'Patient/p1/Encounter',
  ]) {
    const reply = await send(conditional, reading(url));
    assert.equal(reply.status, 400, url);
    assert.match(reply.body, /entry\[1\]/);
  }
  assert.deepEqual(
    statuses(await send(conditional, reading('Patient/p1'), reading('Patient/p1/_history/1'))),
    ['200', '200', '200'],
  );
  assert.equal((await send(reading('Encounter?_sort=date'))).status, 200);
});
