/** Rows that a hospital adds to the label table hide what was stored before them: from totals, links and histories too. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createWorld, SESSIONS } from '../src/fhir/gate/testing/gate-world.ts';
import { DEFAULT_LABEL_TABLE } from '../src/fhir/index.ts';
import { extendLabelTable } from '../src/fhir/labels/index.ts';
import { activeConsent, fhirConsent } from './consent/fhir-consent.ts';
import {
  CLINICIAN,
  createFhirWorld,
  type FhirReply,
  type FhirWorld,
  OUTSIDER,
} from './support/fhir-world.ts';

const LATER = extendLabelTable(DEFAULT_LABEL_TABLE, [{ label: 'hiv', system: 'urn:local', codes: 'Z1' }]);
const coded = (code: string) => ({ coding: [{ system: 'urn:local', code }] });
let world: FhirWorld;

before(async () => {
  world = await createFhirWorld();
  world.consents.set('p1', [activeConsent(1, fhirConsent('OPTIN'))]);
  await world.send(CLINICIAN, 'PUT', '/Patient/p1', { resourceType: 'Patient', id: 'p1' });
  for (const [id, code, evidence] of [
    ['hidden', 'Z1', 'Z2'],
    ['partly', 'Z2', 'Z1'],
    ['open', 'Z2', 'Z2'],
  ] as const) {
    const said = { code: coded(code), evidence: [{ code: [coded(evidence)] }] };
    const condition = { resourceType: 'Condition', id, subject: { reference: 'Patient/p1' }, ...said };
    assert.equal((await world.send(CLINICIAN, 'PUT', `/Condition/${id}`, condition)).status, 201);
  }
  world.labelTable = LATER;
});
after(() => world.close());

const ask = (url: string): Promise<FhirReply> => world.send(OUTSIDER, 'GET', url);
const idsOf = ({ json }: FhirReply): unknown[] =>
  ((json.entry ?? []) as { resource: { id: string } }[]).map(({ resource }) => resource.id).sort();

test('no total counts what a later row hides', async () => {
  assert.equal((await ask('/Condition/hidden')).status, 404);
  const all = await ask('/Condition');
  assert.deepEqual([all.json.total, idsOf(all)], [2, ['open', 'partly']]);
  for (const query of ['', '&_summary=count', '&_count=0', '&_sort=_id'])
    assert.equal((await ask(`/Condition?code=urn:local|Z1${query}`)).json.total, 0, query);
  assert.equal((await ask('/Patient?_has:Condition:patient:code=urn:local|Z1')).json.total, 0);
  const clinician = await world.send(CLINICIAN, 'GET', '/Condition?_summary=count');
  assert.equal(clinician.json.total, 3, 'who may see it counts it');
});

test('no page leads on to what a later row hides, nor is one filled by it', async () => {
  for (const path of ['/Condition?_count=2', '/Condition/_history?_count=2']) {
    const { json } = await ask(path);
    assert.equal((json.entry as unknown[]).length, 2, path);
    assert.ok(
      !((json.link ?? []) as { relation: string }[]).some(({ relation }) => relation === 'next'),
      path,
    );
  }
});

test('no search matches by a part that a later row hides', async () => {
  assert.equal((await ask('/Condition/partly')).json.evidence, undefined);
  for (const query of ['', '&_summary=count'])
    assert.equal((await ask(`/Condition?evidence=urn:local|Z1${query}`)).json.total, 0);
  assert.equal((await ask('/Condition?_id=partly&_summary=count')).json.total, 1);
});

test('without rows of its own, a node opens nothing only to count it', async () => {
  const observation = { resourceType: 'Observation', id: 'o1', subject: { reference: 'Patient/p1' } };
  for (const [labelTable, opened] of [
    [DEFAULT_LABEL_TABLE, 0],
    [LATER, 1],
  ] as const) {
    const gateWorld = createWorld({ labelTable });
    const record = gateWorld.record(observation);
    for (const _ of [1, 2])
      assert.equal((await gateWorld.gate.visible(SESSIONS.clinician, [record], 'search')).records.length, 1);
    assert.equal(gateWorld.opened.length, opened, 'and once only what it has read');
  }
});
