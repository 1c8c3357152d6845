/** A reference is read in one way: what a record is filed under is what a search, a chain and an include find it by. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Bundle } from '@medplum/fhirtypes';
import { CLINICIAN, createFhirWorld, type FhirWorld } from './support/fhir-world.ts';

const BASE = 'http://test/fhir/R4';
const ELSEWHERE = 'http://other.org/fhir/Patient/p1';
/** The subject of an Observation by its id: all but the last two are the Patient p1 of this server. */
const SUBJECTS: Record<string, string> = {
  relative: 'Patient/p1',
  version: 'Patient/p1/_history/1',
  absolute: `${BASE}/Patient/p1`,
  both: `${BASE}/Patient/p1/_history/1`,
  slash: '/Patient/p1',
  elsewhere: ELSEWHERE,
  group: 'Group/p1',
};
const LOCAL = ['absolute', 'both', 'relative', 'slash', 'version'];

let world: FhirWorld;
const put = async (resourceType: string, id: string, content: object = {}) =>
  assert.equal(
    (await world.send(CLINICIAN, 'PUT', `/${resourceType}/${id}`, { resourceType, id, ...content })).status,
    201,
  );
before(async () => {
  world = await createFhirWorld();
  await put('Patient', 'p1', { name: [{ family: 'Reference' }] });
  await put('Group', 'p1', { type: 'person', actual: true });
  for (const [id, subject] of Object.entries(SUBJECTS))
    await put('Observation', id, {
      status: 'final',
      code: { text: id },
      subject: { reference: subject },
      performer: [{ display: 'A name alone' }],
    });
});
after(() => world.close());

/** The matches and what was included, by type and id where it is not an Observation. */
async function found(url: string): Promise<string[]> {
  const reply = await world.send(CLINICIAN, 'GET', url);
  assert.equal(reply.status, 200, reply.body);
  return ((reply.json as unknown as Bundle).entry ?? [])
    .map(({ resource }) =>
      resource?.resourceType === 'Observation'
        ? (resource.id as string)
        : `${resource?.resourceType}/${resource?.id}`,
    )
    .sort();
}

for (const query of [
  'Observation?subject=Patient/p1',
  `Observation?subject=${BASE}/Patient/p1`,
  'Observation?subject=Patient/p1/_history/1',
  'Observation?patient=Patient/p1',
  'Observation?patient=p1',
  'Observation?subject:Patient=p1',
  `Observation?subject:Patient=${BASE}/Patient/p1`,
  'Observation?patient.name=reference',
  'Observation?subject:Patient._id=p1',
  'Observation?code:missing=false&performer:missing=false&subject=Patient/p1',
  'Patient/p1/Observation',
])
  test(`${query} finds what is about the patient, however its reference is written`, async () =>
    assert.deepEqual(await found(`/${query}`), LOCAL));

test('what is about a person of another server is found by that address alone', async () => {
  assert.deepEqual(await found(`/Observation?subject=${ELSEWHERE}`), ['elsewhere']);
  assert.deepEqual(await found(`/Observation?patient:Patient=${ELSEWHERE}`), ['elsewhere']);
  assert.deepEqual(await found('/Observation?subject:Group=Patient/p1'), []);
  assert.deepEqual(await found('/Observation?subject:Group=p1'), ['group']);
});

test('an include and a reverse chain follow references as a search does', async () => {
  for (const id of LOCAL)
    assert.deepEqual(
      await found(`/Observation?_id=${id}&_include=Observation:patient`),
      ['Patient/p1', id],
      id,
    );
  assert.deepEqual(await found('/Observation?_id=elsewhere&_include=Observation:subject'), ['elsewhere']);
  assert.deepEqual(await found('/Patient?_id=p1&_revinclude=Observation:subject'), ['Patient/p1', ...LOCAL]);
  for (const id of LOCAL)
    assert.deepEqual(await found(`/Patient?_has:Observation:patient:_id=${id}`), ['Patient/p1'], id);
  assert.deepEqual(await found('/Patient?_has:Observation:patient:_id=elsewhere'), []);
});

test('a large resource is found by all that it says, or refused', async () => {
  const instances = Array.from({ length: 1000 }, (_, at) => ({
    uid: `1.2.${at}`,
    sopClass: { system: 'urn:ietf:rfc:3986', code: 'urn:oid:1.2.840' },
  }));
  const series = [{ uid: '1.2', modality: { code: 'CT' }, instance: instances }];
  await put('ImagingStudy', 'ct', { status: 'available', subject: { reference: 'Patient/p1' }, series });
  assert.deepEqual(await found('/ImagingStudy?subject=Patient/p1&status=available&instance=1.2.999'), [
    'ImagingStudy/ct',
  ]);
  const list = (entries: number) => ({
    resourceType: 'List',
    id: `of-${entries}`,
    status: 'current',
    mode: 'working',
    subject: { reference: 'Patient/p1' },
    entry: Array.from({ length: entries }, (_, at) => ({ item: { reference: `Observation/o${at}` } })),
  });
  await put('List', 'of-1500', list(1500));
  assert.deepEqual(await found('/List?subject=Patient/p1&item=Observation/o1499'), ['List/of-1500']);
  const refused = await world.send(CLINICIAN, 'PUT', '/List/of-12000', list(12_000));
  assert.equal(refused.status, 422, refused.body);
  assert.equal((await world.send(CLINICIAN, 'GET', '/List/of-12000')).status, 404);
});
