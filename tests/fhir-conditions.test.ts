/** Conditional interactions and preconditions: what they are not met by is left alone, however they are sent. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Bundle, OperationOutcome } from '@medplum/fhirtypes';
import { CLINICIAN, createFhirWorld, type FhirReply, type FhirWorld } from './support/fhir-world.ts';

const DELETE_ANY = { request: { method: 'DELETE', url: 'Location' } };
const LENIENT = { prefer: 'handling=lenient' };
let world: FhirWorld;
before(async () => {
  world = await createFhirWorld();
});
after(() => world.close());

const send = (method: string, url: string, body?: unknown, headers?: Record<string, string>) =>
  world.send(CLINICIAN, method, url, body, headers);
const location = (id: string | undefined, name: string) => ({ resourceType: 'Location', id, name });
const bundle = (type: string, entry: unknown[]) => ({ resourceType: 'Bundle', type, entry });
const responses = (reply: FhirReply) =>
  ((reply.json as unknown as Bundle).entry ?? []).map(({ response }) => response);
/** The statuses of a write that is sent by itself, in a batch and in a transaction. */
async function everyWay(
  method: string,
  url: string,
  resource?: unknown,
  headers: Record<string, string> = {},
): Promise<(number | string | undefined)[]> {
  const request = { method, url, ifMatch: headers['if-match'], ifNoneExist: headers['if-none-exist'] };
  const patch = Buffer.from(JSON.stringify(resource ?? [])).toString('base64');
  const binary = { resourceType: 'Binary', contentType: 'application/json-patch+json', data: patch };
  const entry = { request, resource: method === 'PATCH' ? binary : resource };
  const alone = await send(method, `/${url}`, resource, headers);
  const batch = await send('POST', '/', bundle('batch', [entry]), headers);
  const transaction = await send('POST', '/', bundle('transaction', [entry]), headers);
  return [alone.status, responses(batch)[0]?.status, transaction.status];
}

test('a condition that looks for nothing is met by nothing', async () => {
  await send('PUT', '/Location/only', location('only', 'first'));
  const none = [
    'Location',
    'Location?',
    'Location?_count=5',
    'Location?_format=json',
    'Location?name=',
    'Location?name=,',
    'Location?identifier=|',
    // To a text search an accent alone is nothing, and every text begins with nothing.
    'Location?name=%20',
    'Location?name=%CC%81',
    'Location?name:contains=%20',
    'Location?name=first&address=%20',
    // What it is not says nothing of what it is.
    'Location?status:not=inactive',
    'Location?address:missing=true',
    'Location?name:missing=false',
    'Location?_lastUpdated=ge2000-01-01',
    'Location?organization.name:not=x',
  ];
  for (const url of none) {
    assert.deepEqual(await everyWay('DELETE', url), [412, '412', 412], url);
    assert.deepEqual(await everyWay('PUT', url, location(undefined, 'x')), [412, '412', 412], url);
    const patch = [{ op: 'replace', path: '/name', value: 'x' }];
    assert.deepEqual(await everyWay('PATCH', url, patch), [412, '412', 412], url);
  }
  const create = await everyWay('POST', 'Location', location(undefined, 'x'), { 'if-none-exist': '' });
  assert.deepEqual(create, [412, '412', 412]);
  assert.equal((await send('GET', '/Location/only')).json.name, 'first');
  assert.equal((await send('GET', '/Location')).json.total, 1);
});

test('a condition with a parameter that nobody knows is refused, whatever the caller prefers', async () => {
  const headers = { ...LENIENT, 'if-none-exist': 'identifier=zz&typo=1' };
  const organization = { resourceType: 'Organization', name: 'new' };
  assert.deepEqual(await everyWay('POST', 'Organization', organization, headers), [400, '400', 400]);
  assert.deepEqual(
    await everyWay('DELETE', 'Location?typo=zzz', undefined, LENIENT),
    [400, '400', 400],
    'the only one stays',
  );
  const reference = (query: string) => ({
    resourceType: 'Observation',
    id: 'by-search',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: `Patient?${query}` },
  });
  const put = (query: string) => ({
    request: { method: 'PUT', url: 'Observation/by-search' },
    resource: reference(query),
  });
  const failed = await send('POST', '/', bundle('transaction', [put('identifier=nope'), DELETE_ANY]));
  assert.deepEqual(
    (failed.json as unknown as OperationOutcome).issue.map(({ expression }) => expression),
    [['Bundle.entry[1]']],
    'the entry whose condition is refused is named',
  );
  for (const [query, status] of [
    ['identifier=nope&typo=1', 400],
    ['identifier=nope', 412],
    ['_count=1', 412],
  ] as const)
    assert.equal((await send('POST', '/', bundle('transaction', [put(query)]), LENIENT)).status, status);
  assert.equal((await send('GET', '/Observation/by-search')).status, 404);
});

test('a condition that finds nothing deletes nothing, patches nothing and creates', async () => {
  const [noName, name] = ['Location?name=nowhere', 'Location?name=created'];
  assert.deepEqual(await everyWay('DELETE', noName), [204, '204', 200]);
  assert.deepEqual(await everyWay('PATCH', noName, [{ op: 'remove', path: '/name' }]), [404, '404', 404]);
  assert.deepEqual(await everyWay('PUT', name, location(undefined, 'created')), [201, '200', 200]);
  const once = { 'if-none-exist': 'name=created' };
  assert.deepEqual(await everyWay('POST', 'Location', location(undefined, 'x'), once), [200, '200', 200]);
});

test('a condition is what the caller wrote: a reference of one type finds none of another', async () => {
  await send('PUT', '/Group/p7', { resourceType: 'Group', id: 'p7', type: 'person', actual: true });
  await send('PUT', '/Observation/of-group', {
    resourceType: 'Observation',
    id: 'of-group',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: 'Group/p7' },
  });
  const url = 'Observation?subject:Patient=p7';
  assert.deepEqual(await everyWay('DELETE', url), [204, '204', 200]);
  assert.equal((await send('GET', '/Observation/of-group')).status, 200);
  assert.equal((await send('DELETE', '/Observation?subject:Group=p7')).status, 204);
  assert.equal((await send('GET', '/Observation/of-group')).status, 410);
});

test('If-Match and If-None-Match hold for every write, or are refused', async () => {
  await send('PUT', '/Location/im', location('im', 'one'));
  let next = 1;
  const put = async (headers: Record<string, string>, id = 'im') =>
    (await send('PUT', `/Location/${id}`, location(id, `name ${++next}`), headers)).status;
  for (const condition of ['7', '"7', 'W/7', 'W/"7" W/"1"', '', '"1"x'])
    assert.equal(await put({ 'if-match': condition }), 400, condition);
  assert.equal(await put({ 'if-match': 'W/"7", W/"2"' }), 412);
  assert.equal(await put({ 'if-match': 'W/"7", "1"' }), 200);
  assert.equal(await put({ 'if-match': '*' }), 200);
  assert.equal(await put({ 'if-match': '*' }, 'im-new'), 412);
  assert.equal(await put({ 'if-none-match': '*' }), 412);
  assert.equal(await put({ 'if-none-match': 'W/"3"' }), 412);
  assert.equal(await put({ 'if-none-match': 'W/"1"' }), 200);
  assert.equal(await put({ 'if-none-match': '*' }, 'im-new'), 201);
  assert.equal((await send('GET', '/Location/im', undefined, { 'if-none-match': '"4"' })).status, 304);
  const wrong = { 'if-match': 'W/"77"' };
  for (const url of ['Location?_id=im', 'Location?_id=nobody', 'Location/im'])
    assert.deepEqual(await everyWay('DELETE', url, undefined, wrong), [412, '412', 412], url);
  const update = await everyWay('PUT', 'Location?_id=nobody', location(undefined, 'x'), wrong);
  assert.deepEqual(update, [412, '412', 412]);
  const unquoted = await everyWay('PUT', 'Location/im', location('im', 'x'), { 'if-match': '99' });
  assert.deepEqual(unquoted, [400, '400', 400]);
});

test('the entries of a batch are answered as requests of their own', async () => {
  await send('PUT', '/Patient/pb', { resourceType: 'Patient', id: 'pb', gender: 'female', active: true });
  await send('PUT', '/Observation/ob', {
    resourceType: 'Observation',
    id: 'ob',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: 'Patient/pb' },
  });
  const get = (url: string, more: object = {}) => ({ request: { method: 'GET', url, ...more } });
  const urls = [
    'Patient?_id=pb&_elements=gender',
    'Patient?_id=pb&_summary=count',
    'Patient/_history?_count=1',
    'Patient/pb/Observation',
    'Observation?subject:Patient=pb',
    'Patient/pb?_elements=gender',
  ];
  for (const type of ['transaction', 'batch']) {
    // Nothing is there since then, which is an error, and ends a transaction.
    if (type === 'batch') urls.push('Patient/pb/_history?_since=2099-01-01');
    const reply = await send(
      'POST',
      '/',
      bundle(
        type,
        urls.map((url) => get(url)),
      ),
    );
    const entries = (reply.json as unknown as Bundle).entry ?? [];
    for (const [at, url] of urls.entries()) {
      const alone = await send('GET', `/${url}`);
      const { response, resource = response?.outcome } = entries[at] ?? {};
      assert.equal(response?.status, String(alone.status), url);
      const text = (json: unknown) => JSON.stringify(json).replace(/_cursor=[^"]*/, '');
      assert.equal(text(resource), text(alone.json), url);
    }
  }
  const writes = await send(
    'POST',
    '/',
    bundle('batch', [
      { request: { method: 'PUT', url: 'Location/new' }, resource: location('new', 'n') },
      get('Location/new', { ifNoneMatch: 'W/"1"' }),
      { request: { method: 'DELETE', url: 'Location/new' } },
      get('Location/new'),
    ]),
  );
  assert.deepEqual(
    responses(writes).map((response) => response?.status),
    ['201', '304', '204', '410'],
  );
  const [created] = responses(writes);
  assert.deepEqual([created?.location, created?.etag], ['Location/new/_history/1', 'W/"1"']);
});

test('an entry of a batch refers to no other, which would leave it under nobody', async () => {
  const urn = 'urn:uuid:11111111-2222-3333-4444-777777777777';
  const reply = await send(
    'POST',
    '/',
    bundle('batch', [
      { fullUrl: urn, request: { method: 'POST', url: 'Patient' }, resource: { resourceType: 'Patient' } },
      {
        request: { method: 'PUT', url: 'Observation/dangling' },
        resource: {
          resourceType: 'Observation',
          id: 'dangling',
          status: 'final',
          code: { text: 'x' },
          subject: { reference: urn },
        },
      },
    ]),
  );
  assert.deepEqual(
    responses(reply).map((response) => response?.status),
    ['201', '422'],
  );
});

test('what an interaction does not take is refused rather than passed over', async () => {
  for (const url of [
    '/Location/only?foo=bar',
    '/Location/only/_history?foo=1',
    '/Location/_history?_at=2026',
    '/Location/only/_history/1?foo=1',
  ])
    assert.equal((await send('GET', url)).status, 400, url);
  assert.equal((await send('PUT', '/Location/only?foo=1', location('only', 'x'))).status, 400);
  assert.equal((await send('GET', '/Location/only?_format=json&_pretty=true')).status, 200);
  assert.deepEqual(Object.keys((await send('GET', '/Location/only?_elements=status')).json).sort(), [
    'id',
    'meta',
    'resourceType',
  ]);
  const reads = bundle('batch', [{ request: { method: 'GET', url: 'Location/only' } }]);
  const answered = await send('POST', '/', reads, { prefer: 'return=minimal' });
  assert.deepEqual(
    responses(answered).map((response) => response?.status),
    ['200'],
  );
  const found = await send('POST', '/Location/_search', '_id=only', { prefer: 'return=minimal' });
  assert.equal(found.json.total, 1);
});
