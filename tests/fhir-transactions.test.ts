/** Writes side by side and in transactions: nothing acknowledged is lost, and every record is filed under whom it is about. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { CLINICIAN, createFhirWorld, type FhirWorld } from './support/fhir-world.ts';

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
