/** Writes side by side and in transactions: nothing acknowledged is lost, and every record is filed under whom it is about. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Session } from '../src/fhir/index.ts';
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
