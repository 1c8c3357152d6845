import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { Bundle } from '@medplum/fhirtypes';
import { activeConsent, actor, concept, fhirConsent, SYSTEM } from './consent/fhir-consent.ts';
import {
  CLINICIAN,
  createFhirWorld,
  type FhirReply,
  type FhirWorld,
  OUTSIDER,
} from './support/fhir-world.ts';

let world: FhirWorld;
before(async () => {
  world = await createFhirWorld();
});
after(() => world.close());

const send = (method: string, url: string, body?: unknown, headers?: Record<string, string>) =>
  world.send(CLINICIAN, method, url, body, headers);
const patient = (id: string, over = {}) => ({
  resourceType: 'Patient',
  id,
  name: [{ family: 'Ångström', given: ['Ida', 'Maria'] }],
  birthDate: '1980-05-01',
  ...over,
});
const observation = (id: string, of: string, over = {}) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${of}` },
  effectiveDateTime: '2026-03-01T10:00:00Z',
  valueQuantity: { value: 72.5, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
  ...over,
});
const ids = (reply: FhirReply) =>
  ((reply.json as unknown as Bundle).entry ?? [])
    .filter((entry) => entry.search?.mode !== 'include')
    .map((entry) => entry.resource?.id)
    .sort();
const included = (reply: FhirReply) =>
  ((reply.json as unknown as Bundle).entry ?? [])
    .filter((entry) => entry.search?.mode === 'include')
    .map((entry) => `${entry.resource?.resourceType}/${entry.resource?.id}`);
const total = (reply: FhirReply) => (reply.json as unknown as Bundle).total;

test('create, read, vread, update, delete and history', async () => {
  const created = await send('POST', '/Patient', patient('ignored'));
  assert.equal(created.status, 201);
  const id = created.json.id as string;
  assert.notEqual(id, 'ignored', 'the server chooses the id of a create');
  assert.equal(created.headers.location, `http://test/fhir/R4/Patient/${id}/_history/1`);
  const updated = await send('PUT', `/Patient/${id}`, patient(id, { gender: 'female' }));
  assert.equal(updated.headers.etag, 'W/"2"');
  const repeated = await send('PUT', `/Patient/${id}`, patient(id, { gender: 'female' }));
  assert.equal(repeated.headers.etag, 'W/"2"', 'a write of what is there makes no version');
  assert.equal((await send('GET', `/Patient/${id}/_history/1`)).json.gender, undefined);
  assert.equal((await send('DELETE', `/Patient/${id}`)).status, 204);
  assert.equal((await send('GET', `/Patient/${id}`)).status, 410);
  const history = (await send('GET', `/Patient/${id}/_history`)).json as unknown as Bundle;
  assert.deepEqual(
    history.entry?.map((entry) => entry.request?.method),
    ['DELETE', 'PUT', 'PUT'],
  );
  const ofType = (await send('GET', '/Patient/_history?_count=1')).json as unknown as Bundle;
  assert.equal(ofType.link?.[0]?.relation, 'next');
  assert.equal((await send('GET', '/Patient/nobody')).status, 404);
});

test('preconditions', async () => {
  await send('PUT', '/Patient/pre', patient('pre'));
  assert.equal(
    (await send('PUT', '/Patient/pre', patient('pre', { active: true }), { 'if-match': 'W/"9"' })).status,
    412,
  );
  assert.equal(
    (await send('PUT', '/Patient/pre', patient('pre', { active: true }), { 'if-match': 'W/"1"' })).status,
    200,
  );
  assert.equal((await send('GET', '/Patient/pre', undefined, { 'if-none-match': 'W/"2"' })).status, 304);
  const conditional = await send(
    'POST',
    '/Patient',
    patient('x', { identifier: [{ system: 'urn:mrn', value: '77' }] }),
    { 'if-none-exist': 'identifier=urn:mrn|77' },
  );
  assert.equal(conditional.status, 201);
  const again = await send(
    'POST',
    '/Patient',
    patient('x', { identifier: [{ system: 'urn:mrn', value: '77' }] }),
    { 'if-none-exist': 'identifier=urn:mrn|77' },
  );
  assert.equal(again.status, 200);
  assert.equal(again.json.id, conditional.json.id);
  const updated = await send('PUT', '/Patient?identifier=urn:mrn|77', {
    ...patient(''),
    id: undefined,
    identifier: [{ system: 'urn:mrn', value: '77' }],
    gender: 'other',
  });
  assert.equal(updated.status, 200);
  assert.equal((await send('DELETE', '/Patient?identifier=urn:mrn|77')).status, 204);
  assert.equal(total(await send('GET', '/Patient?identifier=urn:mrn|77')), 0);
});

test('patch', async () => {
  await send('PUT', '/Patient/patched', patient('patched'));
  const reply = await send(
    'PATCH',
    '/Patient/patched',
    [{ op: 'replace', path: '/birthDate', value: '1981-01-01' }],
    { 'content-type': 'application/json-patch+json' },
  );
  assert.equal(reply.json.birthDate, '1981-01-01');
  assert.equal(
    (await send('PATCH', '/Patient/patched', [{ op: 'replace', path: '/id', value: 'other' }])).status,
    400,
  );
  assert.equal(
    (await send('PATCH', '/Patient/patched', [{ op: 'test', path: '/birthDate', value: '2000-01-01' }]))
      .status,
    400,
  );
});

test('what is no JSON Patch is refused where it is none, and copies cannot grow without end', async () => {
  await send('PUT', '/Patient/copied', patient('copied'));
  const patched = (patch: unknown) => send('PATCH', '/Patient/copied', patch);
  const notOne = [
    [null],
    [{ op: 'remove' }],
    [{ op: 'zap', path: '/name' }],
    [{ op: 'constructor', path: '/name' }],
    [{ op: '__proto__', path: '/name' }],
    [{ op: 'add', path: 7, value: 1 }],
    [{ op: 'add', path: '/__proto__/x', value: 1 }],
    [{ op: 'add', path: '/constructor/prototype/x', value: 1 }],
    [{ op: 'copy', from: '/__proto__', path: '/language' }],
    [{ op: 'move', from: '/gender', path: '/__proto__/x' }],
  ];
  for (const patch of [...notOne, { resourceType: 'Parameters' }, [{ op: 'remove', path: '/absent' }]])
    assert.equal((await patched(patch)).status, 400, JSON.stringify(patch));
  assert.equal(({} as { x?: unknown }).x, undefined);
  for (const data of [5, {}, 'W10']) {
    const resource = { resourceType: 'Binary', contentType: 'application/json-patch+json', data };
    const entry = [{ request: { method: 'PATCH', url: 'Patient/copied' }, resource }];
    const reply = await send('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry });
    assert.equal(reply.status, data === 'W10' ? 200 : 400, reply.body);
  }
  const extension = [{ url: 'urn:a', extension: [{ url: 'urn:b', valueString: 'x' }] }];
  const copy = { op: 'copy', from: '/extension/0', path: '/extension/0/extension/-' };
  const seed = { op: 'add', path: '/extension', value: extension };
  const deep = await patched([
    seed,
    ...Array.from({ length: 70 }, () => ({ ...copy, path: '/extension/-' })),
    copy,
  ]);
  assert.equal(deep.status, 200);
  const doubled = await patched([seed, ...Array.from({ length: 26 }, () => copy)]);
  assert.equal(doubled.status, 413);
});

test('a bundle whose entries name no record is refused as a whole, wherever it is sent', async () => {
  const place = (json: { issue?: { expression?: string[] }[] }) => json.issue?.[0]?.expression?.[0];
  const inner = { resourceType: 'Bundle', type: 'transaction', entry: [] };
  const entries = [
    null,
    { request: { method: 'POST', url: 5 } },
    { request: { method: 'POST', url: 'Patient' } },
    { request: { method: 'POST', url: '/' }, resource: inner },
    { request: { method: 'POST', url: '$graphql' }, resource: inner },
    { request: { method: 'HEAD', url: 'Patient/1' } },
  ];
  const fine = { request: { method: 'GET', url: 'Patient/1' } };
  for (const type of ['batch', 'transaction'])
    for (const entry of entries)
      for (const path of ['/', '//']) {
        const reply = await send('POST', path, { resourceType: 'Bundle', type, entry: [fine, entry] });
        assert.equal(reply.status, 400, JSON.stringify(entry));
        assert.equal(place(reply.json as object), 'Bundle.entry[1]');
      }
  const missing = {
    request: { method: 'PUT', url: 'Patient/em', ifMatch: 'W/"9"' },
    resource: patient('em'),
  };
  const failed = await send('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry: [missing] });
  assert.equal(failed.status, 412);
  assert.equal(place(failed.json as object), 'Bundle.entry[0]');
});

test('search by each type of parameter, with prefixes and modifiers', async () => {
  await send(
    'PUT',
    '/Patient/s1',
    patient('s1', { gender: 'female', telecom: [{ system: 'phone', value: '555' }] }),
  );
  await send('PUT', '/Patient/s2', patient('s2', { name: [{ family: 'Other' }], birthDate: '1990' }));
  await send('PUT', '/Observation/o1', observation('o1', 's1'));
  await send(
    'PUT',
    '/Observation/o2',
    observation('o2', 's2', {
      effectiveDateTime: '2025-01-01',
      valueQuantity: { value: 90, code: '/min', system: 'http://unitsofmeasure.org' },
    }),
  );
  const among = async (query: string, expected: string[], type = 'Observation') =>
    assert.deepEqual(ids(await send('GET', `/${type}?_id=s1,s2,o1,o2&${query}`)), expected, query);
  await among('name=angs', ['s1'], 'Patient');
  await among('family:exact=Ångström', ['s1'], 'Patient');
  await among('family:exact=angstrom', [], 'Patient');
  await among('name:contains=str', ['s1'], 'Patient');
  await among('gender=female', ['s1'], 'Patient');
  await among('gender:not=female', ['s2'], 'Patient');
  await among('gender:missing=true', ['s2'], 'Patient');
  await among('birthdate=1980', ['s1'], 'Patient');
  await among('birthdate=gt1985-01-01', ['s2'], 'Patient');
  await among('code=http://loinc.org|8867-4', ['o1', 'o2']);
  await among('code=|8867-4', []);
  await among('subject=Patient/s1', ['o1']);
  await among('patient=s2', ['o2']);
  await among('subject:Patient=s1', ['o1']);
  await among('date=ge2026', ['o1']);
  await among('date=lt2026-01-01', ['o2']);
  await among('value-quantity=gt80', ['o2']);
  await among('value-quantity=72.5|http://unitsofmeasure.org|/min', ['o1']);
  await among('code-value-quantity=http://loinc.org|8867-4$lt80', ['o1']);
  await among('subject:Patient.name=angs', ['o1']);
  await among('patient.birthdate=1990', ['o2']);
  await among('_has:Observation:patient:value-quantity=gt80', ['s2'], 'Patient');
  await send(
    'PUT',
    '/Patient/s3',
    patient('s3', {
      name: [{ family: 'Comma, Bar|Dollar$' }],
      identifier: [{ system: 'urn:s', value: 'A|1' }],
    }),
  );
  for (const query of [
    'identifier=A\\|1',
    'identifier=urn:s|A\\|1',
    'family=comma\\, bar\\|dollar\\$',
    'family:exact=x,Comma\\, Bar\\|Dollar\\$',
  ])
    assert.deepEqual(ids(await send('GET', `/Patient?${query}`)), ['s3'], query);
  assert.deepEqual(ids(await send('GET', '/Patient?identifier=A|1')), []);
  await among('date=2026-03-01T10:00Z', ['o1']);
  await among('date=2026-03-01T10:00', ['o1']);
  await among('date=2026-03-01T11:00%2B01:00', ['o1']);
  await among('date=2026-03-01T11:00:00+01:00', ['o1']);
  await among('date=2026-03-01T09:59Z', []);
  assert.equal((await send('GET', '/Patient?nonsense=1')).status, 400);
  assert.equal(
    (await send('GET', '/Patient?nonsense=1', undefined, { prefer: 'handling=lenient' })).status,
    200,
  );
  assert.equal((await send('GET', '/Patient?name:text=x')).status, 400);
  assert.equal((await send('GET', '/Observation?date=yesterday')).status, 400);
});

test('what a search does not have is refused by name, and what is passed over is not in its link', async () => {
  for (const query of [
    '_sort:desc=_id',
    '_count:missing=true',
    '_include:recurse=Patient:organization',
    '_include=Nonsense:x',
    '_include=Patient:nonsense',
    '_type=Patient',
    '_contained=true',
    '_id:missing=true',
    '_id:not=x',
    '_lastUpdated:missing=true',
    'general-practitioner:Nonsense.name=x',
    '_has:Nonsense:patient:code=x',
  ])
    assert.equal((await send('GET', `/Patient?${query}`)).status, 400, query);
  const lenient = { prefer: 'handling=lenient' };
  const passed = await send('GET', '/Patient?_contained=true&name=angs&nonsense=1', undefined, lenient);
  const [self] = (passed.json as unknown as Bundle).link ?? [];
  assert.equal(self?.url, 'http://test/fhir/R4/Patient?name=angs');
  const end = '_has:Observation:patient:nonsense=1';
  assert.equal((await send('GET', `/Patient?${end}`, undefined, lenient)).status, 400);
});

test('a search for too much is refused before it is tried', async () => {
  const dates = Array.from({ length: 300 }, (_, at) => `gt19${10 + (at % 90)}-03-04T10:11:12Z`).join(',');
  const search = (text: string) => send('POST', '/Observation/_search', text);
  assert.equal((await search(Array.from({ length: 50 }, () => `date=${dates}`).join('&'))).status, 413);
  assert.equal((await search(`date=${dates}`)).status, 413);
  const codes = (count: number) => `code=${Array.from({ length: count }, (_, at) => at).join(',')}`;
  assert.equal((await search(codes(500))).status, 200);
  assert.equal((await search(codes(501))).status, 413);
});

test('pages of a sorted search go on after what was shown last, whatever is written meanwhile', async () => {
  await send('PUT', '/Patient/so', patient('so'));
  const put = (id: string) => send('PUT', `/Observation/${id}`, observation(id, 'so'));
  for (const id of ['so3', 'so5', 'so7', 'so9']) await put(id);
  const page = async (url: string) => {
    const bundle = (await send('GET', url)).json as unknown as Bundle;
    const next = bundle.link?.find(({ relation }) => relation === 'next')?.url ?? '';
    return {
      found: (bundle.entry ?? []).map(({ resource }) => resource?.id),
      next: next.replace('http://test/fhir/R4', ''),
    };
  };
  const first = await page('/Observation?patient=so&_sort=_id&_count=2');
  assert.deepEqual(first.found, ['so3', 'so5']);
  await put('so1');
  assert.deepEqual((await page(first.next)).found, ['so7', 'so9'], 'nothing comes twice');
  await send('DELETE', '/Observation/so1');
  await send('DELETE', '/Observation/so3');
  assert.deepEqual((await page(first.next)).found, ['so7', 'so9'], 'nothing is left out');
});

test('includes, sorting, summaries and compartments', async () => {
  await send('PUT', '/Patient/i1', patient('i1'));
  for (const [id, value] of [
    ['v1', 3],
    ['v2', 1],
    ['v3', 2],
  ] as const)
    await send('PUT', `/Observation/${id}`, observation(id, 'i1', { valueQuantity: { value } }));
  const forward = await send('GET', '/Observation?_id=v1&_include=Observation:subject');
  assert.deepEqual(included(forward), ['Patient/i1']);
  const backward = await send('GET', '/Patient?_id=i1&_revinclude=Observation:subject');
  assert.deepEqual(included(backward).sort(), ['Observation/v1', 'Observation/v2', 'Observation/v3']);
  const sorted = await send('GET', '/Observation?patient=i1&_sort=-value-quantity');
  assert.deepEqual(
    (sorted.json as unknown as Bundle).entry?.map((entry) => entry.resource?.id),
    ['v1', 'v3', 'v2'],
  );
  assert.deepEqual(ids(await send('GET', '/Patient/i1/Observation?_id=v1,v2')), ['v1', 'v2']);
  await send('PUT', '/Patient/i2', patient('i2'));
  await send('PUT', '/Observation/v4', observation('v4', 'i2', { performer: [{ reference: 'Patient/i1' }] }));
  const compartment = await send('GET', '/Patient/i1/Observation?_count=3&_sort=_id');
  assert.deepEqual(ids(compartment), ['v1', 'v2', 'v3']);
  const [, next] = (compartment.json as unknown as Bundle).link ?? [];
  const rest = await send('GET', next?.url?.replace('http://test/fhir/R4', '') ?? '');
  assert.deepEqual(ids(rest), ['v4'], 'a compartment holds what any link of its definition leads to');
  assert.deepEqual(ids(await send('GET', '/Patient/i2/Observation')), ['v4']);
  assert.deepEqual(
    ids(
      await send('POST', '/Observation/_search', '_id=v3', {
        'content-type': 'application/x-www-form-urlencoded',
      }),
    ),
    ['v3'],
  );
  const few = (await send('GET', '/Patient?_id=i1&_elements=birthDate')).json as unknown as Bundle;
  assert.deepEqual(Object.keys(few.entry?.[0]?.resource ?? {}).sort(), [
    'birthDate',
    'id',
    'meta',
    'resourceType',
  ]);
  assert.equal(total(await send('GET', '/Observation?patient=i1&_summary=count')), 3);
});

test('pages are stable, and together hold everything once', async () => {
  await send('PUT', '/Patient/page', patient('page'));
  for (let number = 0; number < 7; number += 1)
    await send('PUT', `/Observation/page${number}`, observation(`page${number}`, 'page'));
  for (const sort of ['', '&_sort=_id']) {
    const seen: string[] = [];
    let url: string | undefined = `/Observation?patient=page&_count=3${sort}`;
    while (url !== undefined) {
      const bundle = (await send('GET', url)).json as unknown as Bundle;
      seen.push(...(bundle.entry ?? []).map((entry) => entry.resource?.id as string));
      url = bundle.link?.find((link) => link.relation === 'next')?.url?.replace('http://test/fhir/R4', '');
    }
    assert.deepEqual(
      seen.sort(),
      [0, 1, 2, 3, 4, 5, 6].map((number) => `page${number}`),
    );
  }
  assert.equal((await send('GET', '/Observation?_cursor=nonsense')).status, 400);
});

test('a transaction is atomic, resolves urn:uuid references, and can be sent twice', async () => {
  const uuid = '11111111-2222-3333-4444-555555555555';
  const other = '11111111-2222-3333-4444-666666666666';
  const bundle = (over = {}) => ({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      {
        fullUrl: `urn:uuid:${other}`,
        resource: { ...observation('', '', over), id: undefined, subject: { reference: `urn:uuid:${uuid}` } },
        request: { method: 'POST', url: 'Observation' },
      },
      {
        fullUrl: `urn:uuid:${uuid}`,
        resource: { ...patient(''), id: undefined },
        request: { method: 'POST', url: 'Patient' },
      },
    ],
  });
  const failed = await send('POST', '/', bundle({ status: 'nonsense' }));
  assert.ok(failed.status >= 400, failed.body);
  assert.equal(
    (await send('GET', `/Patient/${uuid}`)).status,
    404,
    'nothing of a failed transaction is stored',
  );
  const first = await send('POST', '/', bundle());
  assert.equal(first.status, 200, first.body);
  assert.equal((await send('POST', '/', bundle())).status, 200);
  assert.deepEqual(ids(await send('GET', `/Observation?patient=${uuid}`)), [other]);
  assert.equal((await send('GET', `/Patient/${uuid}`)).headers.etag, 'W/"1"');
});

test('what is not valid R4 is refused, and the issue says where', async () => {
  const cases: [unknown, string][] = [
    [observation('bad', 's1', { status: 'nonsense' }), 'Observation.status'],
    [patient('bad', { gender: 'unknownish' }), 'Patient.gender'],
    [patient('bad', { birthDate: 17 }), 'Patient.birthDate'],
    [patient('bad', { nonsense: true }), 'Patient.nonsense'],
  ];
  for (const [resource, place] of cases) {
    const type = (resource as { resourceType: string }).resourceType;
    const reply = await send('PUT', `/${type}/bad`, resource);
    assert.ok(reply.status === 422 || reply.status === 400, `${reply.status}`);
    const issue = (reply.json as unknown as { issue: { expression?: string[] }[] }).issue[0];
    assert.ok(issue?.expression?.[0]?.startsWith(place), JSON.stringify(reply.json));
  }
  const bodies: [string, number][] = [
    ['{', 400],
    ['[]', 400],
    [`{"a":${'['.repeat(10_000)}`, 400],
    ['{"__proto__":{}}', 400],
  ];
  for (const [body, status] of bodies) assert.equal((await send('POST', '/Patient', body)).status, status);
  assert.equal((await send('POST', '/Nonsense', patient('x'))).status, 404);
  assert.equal((await send('PUT', '/Patient/a%20b', patient('a b'))).status, 400);
});

/** Everything an outsider could ask in order to learn of a record it may not see. */
const PROBES = [
  '/Observation/LEAK', '/Observation/LEAK/_history', '/Observation/LEAK/_history/1', '/Observation?_id=LEAK', '/Observation?patient=leak-p&_summary=count',
  '/Observation?patient=leak-p&_total=accurate&_count=1', '/Observation?_security:not=http://x|R&patient=leak-p', '/Observation?subject:Patient.name=Leaky',
  '/Patient?_has:Observation:patient:code=8867-4&name=Leaky', '/Organization?_id=leak-org&_revinclude=Patient:organization', '/Observation?_sort=-date&patient=leak-p',
  '/Observation?patient=leak-p&_include=Observation:subject', '/Observation/_history?_count=1000', '/Patient/leak-p/Observation',
]; // biome-ignore format: a list of probes

test('every probe answers the same whether hidden data exist or not', async () => {
  const empty = await createFhirWorld();
  const full = await createFhirWorld();
  try {
    for (const one of [empty, full])
      await one.send(CLINICIAN, 'PUT', '/Organization/leak-org', {
        resourceType: 'Organization',
        id: 'leak-org',
        name: 'Org',
      });
    await full.send(
      CLINICIAN,
      'PUT',
      '/Patient/leak-p',
      patient('leak-p', {
        name: [{ family: 'Leaky' }],
        managingOrganization: { reference: 'Organization/leak-org' },
      }),
    );
    await full.send(CLINICIAN, 'PUT', '/Observation/LEAK', observation('LEAK', 'leak-p'));
    for (const probe of PROBES) {
      const [without, withData] = [
        await empty.send(OUTSIDER, 'GET', probe),
        await full.send(OUTSIDER, 'GET', probe),
      ];
      const plain = (reply: FhirReply) => ({
        status: reply.status,
        body: reply.body.replace(/"lastUpdated":"[^"]*"/g, ''),
      });
      assert.deepEqual(plain(withData), plain(without), probe);
    }
    const seen = await full.send(CLINICIAN, 'GET', '/Observation/LEAK');
    assert.equal(seen.status, 200, 'the data are there, for who may see them');
  } finally {
    await empty.close();
    await full.close();
  }
});

test('a conditional create by an outsider is no test of existence', async () => {
  await send(
    'PUT',
    '/Patient/exists',
    patient('exists', { identifier: [{ system: 'urn:mrn', value: 'secret' }] }),
  );
  const body = patient('x', { identifier: [{ system: 'urn:mrn', value: 'secret' }] });
  const there = await world.send(OUTSIDER, 'POST', '/Patient', body, {
    'if-none-exist': 'identifier=urn:mrn|secret',
  });
  const notThere = await world.send(OUTSIDER, 'POST', '/Patient', body, {
    'if-none-exist': 'identifier=urn:mrn|nothing',
  });
  assert.equal(there.status, notThere.status);
  assert.equal(there.status, 403, 'who may not write here is told so, whatever is there');
});

test('the capability statement names what the dispatcher does', async () => {
  const statement = (await world.send(OUTSIDER, 'GET', '/metadata')).json as unknown as {
    software: { version: string };
    rest: {
      resource: {
        type: string;
        searchRevInclude: string[];
        searchParam: { name: string; documentation: string }[];
      }[];
    }[];
  };
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(statement.software.version, version);
  const types = statement.rest[0]?.resource ?? [];
  assert.ok(types.length > 140);
  const ofPatient = types.find(({ type }) => type === 'Patient');
  assert.ok(ofPatient?.searchRevInclude.includes('Observation:subject'));
  for (const { name, documentation } of ofPatient?.searchParam ?? []) {
    const listed = [...documentation.matchAll(/:(\w+)/g)].map(([, modifier]) => modifier as string);
    for (const modifier of ['missing', 'exact', 'contains', 'identifier', 'Organization', 'above']) {
      const reply = await send('GET', `/Patient?${name}:${modifier}=true&_count=0`);
      const isListed =
        listed.includes(modifier) || (modifier === 'Organization' && documentation.includes('[type]'));
      assert.equal(reply.status, isListed ? 200 : 400, `${name}:${modifier}`);
    }
  }
  for (const { type, searchParam } of types.slice(0, 20)) {
    assert.equal((await send('GET', `/${type}?_count=1`)).status, 200, type);
    for (const { name } of searchParam) {
      if (name === '_lastUpdated' || name === '_id') continue;
      const reply = await send('GET', `/${type}?${name}:missing=true&_count=1`);
      assert.equal(reply.status, 200, `${type}?${name}: ${reply.body}`);
    }
  }
});

test('there are no operations: each would be a way of its own to the records', async () => {
  const query = { query: '{ Patient(id: "g1") { id } }' };
  for (const path of ['/$graphql', '/Patient/$everything', '/Patient/g1/$everything', '//$graphql'])
    for (const method of ['GET', 'POST'])
      assert.equal((await send(method, path, method === 'POST' ? query : undefined)).status, 404, path);
});

test('an include brings only what the requester may see, whatever refers to it', async () => {
  const own = await createFhirWorld();
  try {
    await own.send(CLINICIAN, 'PUT', '/Patient/p1', patient('p1'));
    await own.send(CLINICIAN, 'PUT', '/Observation/shared', observation('shared', 'p1'));
    const labOnly = {
      class: [{ system: SYSTEM.resourceType, code: 'Observation' }],
      purpose: [{ system: SYSTEM.actReason, code: 'HPAYMT' }],
    };
    const toOutsider = { actor: [actor(OUTSIDER.organisation)], action: [concept(SYSTEM.action, 'access')] };
    own.consents.set('p1', [
      activeConsent(
        1,
        fhirConsent('OPTOUT', { type: 'deny', provision: [{ type: 'permit', ...labOnly, ...toOutsider }] }),
      ),
    ]);
    const reply = await own.send(OUTSIDER, 'GET', '/Observation?_id=shared&_include=Observation:subject');
    assert.deepEqual(ids(reply), ['shared'], reply.body);
    assert.deepEqual(included(reply), []);
    const back = await own.send(OUTSIDER, 'GET', '/Observation?_id=shared&_include=*');
    assert.notEqual(back.status, 500);
  } finally {
    await own.close();
  }
});
