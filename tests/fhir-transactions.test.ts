/** Writes side by side and in transactions: nothing acknowledged is lost, and every record is filed under whom it is about. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Bundle } from '@medplum/fhirtypes';
import { type Session, toIdempotentBundle } from '../src/fhir/index.ts';
import { importBundle } from '../src/node/admin/import.ts';
import { activeConsent, actor, fhirConsent } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirReply, type FhirWorld } from './support/fhir-world.ts';

/** May write and not read. */
const DEVICE: Session = {
  ...CLINICIAN,
  accountId: '03'.repeat(32),
  kind: 'device',
  roles: ['medical-device'],
};
let world: FhirWorld;
before(async () => {
  world = await createFhirWorld();
});
after(() => world.close());

const transaction = (entry: unknown[]) => ({ resourceType: 'Bundle', type: 'transaction', entry });

/** Does `other` once, between the first read of the record and what is made of it. */
async function afterFirstRead<T>(
  id: string,
  other: () => Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const { read } = world.vault;
  let waiting: typeof other | undefined = other;
  world.vault.read = async (type, asked) => {
    const record = await read.call(world.vault, type, asked);
    const now = asked === id ? waiting : undefined;
    if (now !== undefined) waiting = undefined;
    await now?.();
    return record;
  };
  try {
    return await work();
  } finally {
    world.vault.read = read;
  }
}

const addTo = (path: string, value: unknown) => [{ op: 'add', path, value }];
const patchEntry = (id: string, patch: unknown) => ({
  resource: {
    resourceType: 'Binary',
    contentType: 'application/json-patch+json',
    data: Buffer.from(JSON.stringify(patch)).toString('base64'),
  },
  request: { method: 'PATCH', url: `Patient/${id}` },
});

test('a patch by a condition finds nothing that another entry of its transaction makes', async () => {
  const identifier = [{ system: 'urn:x', value: 'made-beside' }];
  const made = {
    resource: { resourceType: 'Patient', id: 'made-beside', identifier },
    request: { method: 'PUT', url: 'Patient/made-beside' },
  };
  const patching = patchEntry('x', addTo('/gender', 'female'));
  const request = { method: 'PATCH', url: 'Patient?identifier=urn:x|made-beside' };
  const send = (...entries: unknown[]) => world.send(CLINICIAN, 'POST', '/', transaction(entries));
  assert.equal((await send(made, { ...patching, request })).status, 404);
  assert.equal((await world.send(CLINICIAN, 'GET', '/Patient/made-beside')).status, 404);
  assert.equal((await send(made)).status, 200);
  assert.equal((await send({ ...patching, request })).status, 200);
});

for (const [name, patchGender] of Object.entries({
  'a patch': (id: string) => world.send(CLINICIAN, 'PATCH', `/Patient/${id}`, addTo('/gender', 'female')),
  'a patch in a transaction': (id: string) =>
    world.send(CLINICIAN, 'POST', '/', transaction([patchEntry(id, addTo('/gender', 'female'))])),
})) {
  test(`${name} loses nothing that another patch writes meanwhile`, async () => {
    const id = randomUUID();
    await world.send(CLINICIAN, 'PUT', `/Patient/${id}`, { resourceType: 'Patient', id });
    const other = async () => {
      const reply = await world.send(CLINICIAN, 'PATCH', `/Patient/${id}`, addTo('/language', 'en'));
      assert.equal(reply.status, 200);
    };
    const reply = await afterFirstRead(id, other, () => patchGender(id));
    assert.equal(reply.status, 200, reply.body);
    const { json } = await world.send(CLINICIAN, 'GET', `/Patient/${id}`);
    assert.deepEqual([json.gender, json.language], ['female', 'en']);
  });
}

test('a patch for the version that the caller saw is refused once another has written', async () => {
  await world.send(CLINICIAN, 'PUT', '/Patient/seen', { resourceType: 'Patient', id: 'seen' });
  const patch = (path: string, value: string, headers = {}) =>
    world.send(CLINICIAN, 'PATCH', '/Patient/seen', addTo(path, value), headers);
  const reply = await afterFirstRead(
    'seen',
    () => patch('/language', 'en'),
    () => patch('/gender', 'female', { 'if-match': 'W/"1"' }),
  );
  assert.equal(reply.status, 412);
});

const observation = (subject: string, over = {}) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'test' },
  subject: { reference: subject },
  ...over,
});

test('a resource is changed once in a transaction, however its address is written', async () => {
  const resource = observation('Patient/p1', { id: 'once' });
  const put = (url: string) => ({ resource, request: { method: 'PUT', url } });
  for (const url of ['/Observation/once', 'Observation//once', 'Observation/once/']) {
    const reply = await world.send(CLINICIAN, 'POST', '/', transaction([put('Observation/once'), put(url)]));
    assert.equal(reply.status, 400, url);
  }
});

test('who may write and not read is told of no guess whether it is right', async () => {
  const guess = (id: string, valueString: string) =>
    world.send(DEVICE, 'PUT', `/Observation/${id}`, observation('Patient/p1', { id, valueString }));
  const effect = ({ status, headers }: FhirReply) => [status, headers.etag];
  for (const id of ['right', 'wrong'])
    await world.send(
      CLINICIAN,
      'PUT',
      `/Observation/${id}`,
      observation('Patient/p1', { id, valueString: 'positive' }),
    );
  assert.deepEqual(effect(await guess('right', 'positive')), effect(await guess('wrong', 'negative')));
  assert.deepEqual(
    effect(await guess('right', 'positive')),
    [200, 'W/"2"'],
    'its own, so it makes no version',
  );
});

const createOnce = (value: string, over = {}) => ({
  fullUrl: `urn:uuid:${randomUUID()}`,
  resource: { resourceType: 'Patient', identifier: [{ system: 'urn:mrn', value }] },
  request: { method: 'POST', url: 'Patient', ifNoneExist: `identifier=urn:mrn|${value}` },
  ...over,
});

test('transactions side by side create once what each creates only if it is not there', async () => {
  const replies = await Promise.all(
    [1, 2, 3].map(() => world.send(CLINICIAN, 'POST', '/', transaction([createOnce('one')]))),
  );
  assert.deepEqual(
    replies.map(({ json }) => (json.entry as { response: { status: string } }[])[0]?.response.status).sort(),
    ['200', '200', '201'],
  );
  const found = await world.send(CLINICIAN, 'GET', '/Patient?identifier=urn:mrn|one');
  assert.equal(found.json.total, 1);
});

test('an import of what its sender gave addresses can be repeated, and what has no requests is told so', async () => {
  const entry = (id: string, resource: Record<string, unknown>) => ({
    fullUrl: `https://vendor.example/fhir/${resource.resourceType}/${id}`,
    resource,
    request: { method: 'POST', url: String(resource.resourceType) },
  });
  const patient = entry('7', { resourceType: 'Patient', birthDate: '1980-01-01' });
  const subject = { reference: 'Patient/7' };
  const condition = entry('1', { resourceType: 'Condition', subject });
  const bundle = transaction([patient, condition]) as Bundle;
  const [first, again] = [toIdempotentBundle(bundle), toIdempotentBundle(bundle)];
  assert.deepEqual(first, again);
  const replies = [];
  for (const sent of [first, again]) replies.push(await world.send(CLINICIAN, 'POST', '/', sent));
  const statuses = replies.map(({ json }) =>
    (json.entry as { response: { status: string } }[]).map(({ response }) => response.status),
  );
  assert.deepEqual(statuses, [
    ['201', '201'],
    ['200', '200'],
  ]);
  const id = first.entry?.[0]?.resource?.id;
  const found = await world.send(CLINICIAN, 'GET', `/Condition?subject=Patient/${id}`);
  assert.equal(found.json.total, 1, 'the Patient of the bundle is meant, not one of this id here');
  const collection = { ...bundle, type: 'collection' } as unknown as Parameters<typeof importBundle>[1];
  await assert.rejects(importBundle({} as Parameters<typeof importBundle>[0], collection), {
    code: 'invalid-resource',
    message: /type collection .*request/,
  });
});

test('an import refuses conditions, which it may not look up', async () => {
  const nothing = {} as Parameters<typeof importBundle>[0];
  const update = {
    resource: { resourceType: 'Patient' },
    request: { method: 'PUT', url: 'Patient?identifier=1' },
  };
  for (const entry of [createOnce('two'), update])
    await assert.rejects(importBundle(nothing, transaction([entry])), {
      code: 'invalid-resource',
      message: /ifNoneExist/,
    });
});

/** A clinician whom the patient `pa` has denied. */
const DENIED: Session = { ...CLINICIAN, accountId: '04'.repeat(32) };
const deniedBy = (patient: string) =>
  world.consents.set(patient, [
    activeConsent(
      1,
      fhirConsent('OPTIN', { provision: [{ type: 'deny', actor: [actor(DENIED.accountId)] }] }),
    ),
  ]);

test('a record is under the consents of its patient, however the reference is written', async () => {
  deniedBy('pa');
  const own = 'http://test/fhir/R4';
  const spellings = [
    'Patient/pa',
    'Patient/pa/_history/1',
    `${own}/Patient/pa`,
    'HTTP://TEST/fhir/R4/Patient/pa',
    'https://test/fhir/R4/Patient/pa',
    `${own}//Patient/pa`,
    '/Patient/pa',
    'Patient/pa/',
    'Patient//pa',
    'Patient/pa#x',
    'Patient/%70a',
    'Encounter/../Patient/pa',
  ];
  for (const [at, subject] of spellings.entries()) {
    const url = `/Observation/spelling-${at}`;
    const reply = await world.send(CLINICIAN, 'PUT', url, observation(subject, { id: `spelling-${at}` }));
    assert.equal(reply.status, 201, `${subject}: ${reply.body}`);
    assert.equal((await world.send(DENIED, 'GET', url)).status, 404, subject);
  }
});

test('a Patient of another server is not ours', async () => {
  deniedBy('pa');
  for (const [at, subject] of ['http://other/fhir/R4/Patient/pa', 'http://test/other/Patient/pa'].entries()) {
    const url = `/Observation/other-${at}`;
    await world.send(CLINICIAN, 'PUT', url, observation(subject, { id: `other-${at}` }));
    assert.equal((await world.send(DENIED, 'GET', url)).status, 200, subject);
  }
});

type Entry = { resource: { id: string; subject: { reference: string } }; response: { status: string } };
const post = (resource: { resourceType: string }, over = {}) => ({
  fullUrl: `urn:uuid:${randomUUID()}`,
  resource,
  request: { method: 'POST', url: resource.resourceType },
  ...over,
});
const sendAll = async (...entries: unknown[]) => {
  const reply = await world.send(CLINICIAN, 'POST', '/', transaction(entries));
  return { ...reply, entries: (reply.json.entry ?? []) as Entry[] };
};
const subjects = (entries: readonly Entry[]) => entries.map(({ resource }) => resource.subject.reference);

test('what refers to a patient who was there already is under the consents of that patient', async () => {
  const identifier = [{ system: 'urn:mrn', value: 'pa' }];
  await world.send(CLINICIAN, 'PUT', '/Patient/pa', { resourceType: 'Patient', id: 'pa', identifier });
  deniedBy('pa');
  const patient = createOnce('pa');
  const { status, body, entries } = await sendAll(
    post(observation(patient.fullUrl)),
    patient,
    post(observation('/Patient?identifier=urn:mrn|pa')),
  );
  assert.equal(status, 200, body);
  assert.deepEqual(
    entries.map(({ response }) => response.status),
    ['201', '200', '201'],
  );
  for (const { resource } of [entries[0], entries[2]] as Entry[]) {
    assert.equal(resource.subject.reference, 'Patient/pa');
    assert.equal((await world.send(DENIED, 'GET', `/Observation/${resource.id}`)).status, 404);
  }
});

test('what refers to an entry by the address of another server follows that entry to its new id', async () => {
  const old = 'http://old/fhir';
  const fromOld = (subject: string, id: string) =>
    post(observation(subject), { fullUrl: `${old}/Observation/${id}` });
  const { entries } = await sendAll(
    post({ resourceType: 'Patient' }, { fullUrl: `${old}/Patient/p9` }),
    fromOld('Patient/p9', 'a'),
    fromOld(`${old}/Patient/p9`, 'b'),
    fromOld(`${old}/Patient/p9/_history/3`, 'c'),
    post(observation('Patient/p9')),
  );
  const [patient, ...observations] = entries;
  const made = `Patient/${patient?.resource.id}`;
  assert.notEqual(made, 'Patient/p9');
  assert.deepEqual(subjects(observations), [made, made, made, 'Patient/p9']);
  // Passed over, its query would leave the Observation to the Patient/p9 that is here.
  const request = { method: 'POST', url: 'Patient?_format=json' };
  const { status, body } = await sendAll(
    post({ resourceType: 'Patient' }, { fullUrl: `${old}/Patient/p9`, request }),
    fromOld('Patient/p9', 'd'),
  );
  assert.equal(status, 400, body);
});

test('what refers to an entry that updates by a search refers to what the search finds', async () => {
  const update = (value: string) => ({
    fullUrl: `urn:uuid:${randomUUID()}`,
    resource: { resourceType: 'Patient', identifier: [{ system: 'urn:mrn', value }], language: 'en' },
    request: { method: 'PUT', url: `Patient?identifier=urn:mrn|${value}` },
  });
  const [there, fresh] = [update('pa'), update('fresh')];
  const { body, entries } = await sendAll(
    there,
    fresh,
    post(observation(there.fullUrl)),
    post(observation(fresh.fullUrl)),
    post(observation('Patient?identifier=urn:mrn|fresh')),
  );
  const made = `Patient/${entries[1]?.resource.id}`;
  assert.deepEqual(subjects(entries.slice(2)), ['Patient/pa', made, made], body);
});

test('a reference by a search that does not find exactly one resource ends the transaction', async () => {
  for (const id of ['same-1', 'same-2'])
    await world.send(CLINICIAN, 'PUT', `/Patient/${id}`, {
      resourceType: 'Patient',
      id,
      identifier: [{ system: 'urn:mrn', value: 'same' }],
    });
  for (const value of ['none', 'same']) {
    const reply = await sendAll(post(observation(`Patient?identifier=urn:mrn|${value}`)));
    assert.equal(reply.status, 412, value);
  }
});

test('outside of a transaction no reference is a search', async () => {
  const search = 'Patient?identifier=urn:mrn|pa';
  for (const subject of [search, `/${search}`, `http://test/fhir/R4/${search}`]) {
    const reply = await world.send(CLINICIAN, 'POST', '/Observation', observation(subject));
    assert.equal(reply.status, 422, subject);
  }
});

test('entries that come to one resource, or have one fullUrl, are refused', async () => {
  const resource = { resourceType: 'Patient', id: 'pa' };
  const put = (url: string) => ({ resource, request: { method: 'PUT', url } });
  assert.equal((await sendAll(put('Patient/pa'), put('Patient?identifier=urn:mrn|pa'))).status, 400);
  const fullUrl = `urn:uuid:${randomUUID()}`;
  const twice = await sendAll(
    post({ resourceType: 'Patient' }, { fullUrl }),
    post(observation('x'), { fullUrl }),
  );
  assert.equal(twice.status, 400);
});

test('a transaction is refused that refers to an entry which is not in it', async () => {
  assert.equal((await sendAll(post(observation(`urn:uuid:${randomUUID()}`)))).status, 422);
});
