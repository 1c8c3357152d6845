/** Consents about a record and what it is related to (R4 consent-data-meaning), with the relations that the vault has. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createWorld, SESSIONS } from '../src/fhir/gate/testing/gate-world.ts';
import { type Session, storedReferences } from '../src/fhir/index.ts';
import { AppError } from '../src/shared/index.ts';
import type { SealedRecord } from '../src/vault/index.ts';
import { activeConsent, actor, fhirConsent, SYSTEM } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld, OUTSIDER } from './support/fhir-world.ts';

let world: FhirWorld;
const subject = { reference: 'Patient/p1' };
const code = { coding: [{ system: SYSTEM.loinc, code: '8867-4' }] };
const report = (id: string, results: readonly string[], over = {}) => ({
  resourceType: 'DiagnosticReport',
  id,
  status: 'final',
  code,
  subject,
  result: results.map((result) => ({ reference: `Observation/${result}` })),
  ...over,
});

before(async () => {
  world = await createFhirWorld();
  await put({ resourceType: 'Patient', id: 'p1' });
  for (const id of ['in', 'out'])
    await put({ resourceType: 'Observation', id, status: 'final', code, subject });
  await put(report('r1', ['in']));
  const dependent = { reference: 'DiagnosticReport/r1' };
  await put({
    resourceType: 'Communication',
    id: 'dependent',
    status: 'completed',
    subject,
    about: [dependent],
  });
});
after(() => world.close());
beforeEach(() => world.consents.clear());

async function put(resource: object): Promise<void> {
  const { resourceType, id } = resource as { resourceType: string; id: string };
  const reply = await world.send(CLINICIAN, 'PUT', `/${resourceType}/${id}`, resource);
  assert.ok(reply.status < 300, reply.body);
}

function say(rule: 'OPTIN' | 'OPTOUT', who: Session, meaning: string, reference: string): void {
  const data = [{ meaning, reference: { reference } }];
  world.consents.set('p1', [
    activeConsent(1, fhirConsent(rule, { actor: [actor(who.accountId)], data } as never)),
  ]);
}

async function seen(who: Session): Promise<string[]> {
  const shown: string[] = [];
  for (const url of ['Observation/in', 'Observation/out', 'DiagnosticReport/r1', 'Communication/dependent'])
    if ((await world.send(who, 'GET', `/${url}`)).status === 200) shown.push(url);
  return shown;
}

test('related: the record, and what it refers to', async () => {
  say('OPTIN', OUTSIDER, 'related', 'DiagnosticReport/r1');
  assert.deepEqual(await seen(OUTSIDER), ['Observation/in', 'DiagnosticReport/r1']);
  say('OPTOUT', CLINICIAN, 'related', 'DiagnosticReport/r1');
  assert.deepEqual(await seen(CLINICIAN), ['Observation/out', 'Communication/dependent']);
});

test('dependents: the record, and what refers to it', async () => {
  say('OPTIN', OUTSIDER, 'dependents', 'DiagnosticReport/r1');
  assert.deepEqual(await seen(OUTSIDER), ['DiagnosticReport/r1', 'Communication/dependent']);
});

const SPELLINGS = ['', '/', 'http://test/fhir/R4/', 'HTTP://TEST/fhir/R4/', 'http://test/fhir/R4//'];

test('a reference is to the record that it names, however it is spelt', async () => {
  for (const [place, base] of SPELLINGS.entries())
    for (const end of ['', '/_history/1']) {
      const result = [{ reference: `${base}Observation/in${end}` }];
      const id = `spelt-${place}${end.length}`;
      const about = { performer: [{ reference: `${base}Practitioner/x${end}` }], result };
      await put(report(id, [], about));
      const url = `/DiagnosticReport/${id}`;
      say('OPTOUT', CLINICIAN, 'related', `DiagnosticReport/${id}`);
      assert.equal((await world.send(CLINICIAN, 'GET', '/Observation/in')).status, 404, `related: ${base}`);
      say('OPTOUT', CLINICIAN, 'dependents', 'Observation/in');
      assert.equal((await world.send(CLINICIAN, 'GET', url)).status, 404, `dependents: ${base}`);
      say('OPTOUT', CLINICIAN, 'authoredby', 'Practitioner/x');
      assert.equal((await world.send(CLINICIAN, 'GET', url)).status, 404, `author: ${base}`);
      say('OPTOUT', CLINICIAN, 'dependents', 'Observation/i');
      assert.equal((await world.send(CLINICIAN, 'GET', url)).status, 200, 'another record');
    }
});

test('a denial reaches a copy in a Bundle and what is contained; a permission for them does not', async () => {
  const observation = { resourceType: 'Observation', id: 'in', status: 'final', code, subject };
  const fullUrl = 'http://test/fhir/R4/Observation/in';
  const written = { ...observation, performer: [{ reference: 'Practitioner/x' }] };
  await put({
    resourceType: 'Bundle',
    id: 'copy',
    type: 'collection',
    entry: [{ fullUrl, resource: written }],
  });
  const contained = [{ ...written, id: 'c', subject: undefined }];
  await put(report('contained', [], { contained, result: [{ reference: '#c' }] }));
  const held = ['/Bundle/copy', '/DiagnosticReport/contained'];
  const shown = async (who: Session) => {
    const seenOf = [];
    for (const url of held) if ((await world.send(who, 'GET', url)).status === 200) seenOf.push(url);
    return seenOf;
  };
  const ofClass = { class: [{ system: SYSTEM.resourceType, code: 'Observation' }] };
  const sayClass = (rule: 'OPTIN' | 'OPTOUT', { accountId }: Session) =>
    world.consents.set('p1', [
      activeConsent(1, fhirConsent(rule, { actor: [actor(accountId)], ...ofClass })),
    ]);
  sayClass('OPTOUT', CLINICIAN);
  assert.deepEqual(await shown(CLINICIAN), []);
  sayClass('OPTIN', OUTSIDER);
  assert.deepEqual(await shown(OUTSIDER), []);
  say('OPTOUT', CLINICIAN, 'instance', 'Observation/in');
  assert.deepEqual(await shown(CLINICIAN), ['/DiagnosticReport/contained']);
  for (const [meaning, reference] of [
    ['authoredby', 'Practitioner/x'],
    ['related', 'DiagnosticReport/r1'],
  ] as const) {
    say('OPTOUT', CLINICIAN, meaning, reference);
    assert.ok(!(await shown(CLINICIAN)).includes('/Bundle/copy'), meaning);
    say('OPTIN', OUTSIDER, meaning, reference);
    assert.deepEqual(await shown(OUTSIDER), [], meaning);
  }
});

test('what somebody authored in a role is authored by who has it', async () => {
  const performer = [{ reference: 'PractitionerRole/r' }];
  const practitioner = { reference: 'http://test/fhir/R4/Practitioner/y' };
  await put({ resourceType: 'Observation', id: 'role', status: 'final', code, subject, performer });
  await put({ resourceType: 'PractitionerRole', id: 'r', practitioner });
  say('OPTOUT', CLINICIAN, 'authoredby', 'Practitioner/y');
  assert.equal((await world.send(CLINICIAN, 'GET', '/Observation/role')).status, 404);
  assert.equal((await world.send(CLINICIAN, 'GET', '/Observation/in')).status, 200);
});

test('what was authored in a role stays with who had it, whoever gets the role, and when it is deleted', async () => {
  const observation = { resourceType: 'Observation', id: 'of-role', status: 'final', code, subject };
  await put({ ...observation, performer: [{ reference: 'PractitionerRole/passed-on' }] });
  const give = (to: string) =>
    put({
      resourceType: 'PractitionerRole',
      id: 'passed-on',
      practitioner: { reference: `Practitioner/${to}` },
    });
  const status = async (who: Session) => (await world.send(who, 'GET', '/Observation/of-role')).status;
  const denied = async () => {
    say('OPTOUT', CLINICIAN, 'authoredby', 'Practitioner/first');
    return (await status(CLINICIAN)) === 404;
  };
  const permitted = async (author: string) => {
    say('OPTIN', OUTSIDER, 'authoredby', `Practitioner/${author}`);
    return (await status(OUTSIDER)) === 200;
  };
  await give('first');
  assert.deepEqual([await denied(), await permitted('first')], [true, true]);
  await give('second');
  assert.deepEqual(
    [await denied(), await permitted('first'), await permitted('second')],
    [true, false, false],
  );
  world.consents.clear();
  assert.equal((await world.send(CLINICIAN, 'DELETE', '/PractitionerRole/passed-on')).status, 204);
  assert.equal(await denied(), true);
  await give('second');
  assert.deepEqual([await denied(), await permitted('second')], [true, false]);
});

test('an encounter that goes on is not from before its end', async () => {
  const klass = { code: 'AMB' };
  const period = { start: '2019-06-01' };
  await put({ resourceType: 'Encounter', id: 'open', status: 'in-progress', class: klass, subject, period });
  const dataPeriod = { start: '2020-01-01' };
  const provision = [{ type: 'deny' as const, dataPeriod }];
  world.consents.set('p1', [activeConsent(1, fhirConsent('OPTIN', { provision }))]);
  assert.equal((await world.send(CLINICIAN, 'GET', '/Encounter/open')).status, 404);
  const until = { actor: [actor(OUTSIDER.accountId)], dataPeriod: { end: '2019-12-31' } };
  world.consents.set('p1', [activeConsent(1, fhirConsent('OPTIN', until))]);
  assert.equal((await world.send(OUTSIDER, 'GET', '/Encounter/open')).status, 404);
});

test('a denial by when data are from reaches what a report holds', async () => {
  const observed = (effectiveDateTime: string) => [
    { resourceType: 'Observation', id: 'c', status: 'final', code, effectiveDateTime },
  ];
  const result = [{ reference: '#c' }];
  const of = (year: string) => ({ effectiveDateTime: '2019-01-01', contained: observed(year), result });
  await put(report('holds-old', [], of('2018-01-01')));
  await put(report('holds-new', [], of('2023-01-01')));
  const provision = [{ type: 'deny' as const, dataPeriod: { start: '2022-01-01' } }];
  world.consents.set('p1', [activeConsent(1, fhirConsent('OPTIN', { provision }))]);
  assert.equal((await world.send(CLINICIAN, 'GET', '/DiagnosticReport/holds-old')).status, 200);
  assert.equal((await world.send(CLINICIAN, 'GET', '/DiagnosticReport/holds-new')).status, 404);
});

test('a reference to another server is to no record here', async () => {
  await put(report('elsewhere', [], { result: [{ reference: 'http://other/fhir/R4/Observation/in' }] }));
  say('OPTIN', OUTSIDER, 'dependents', 'Observation/in');
  assert.equal((await world.send(OUTSIDER, 'GET', '/DiagnosticReport/elsewhere')).status, 404);
});

test('a record that is there no more still relates what it did, so deleting it lifts no denial', async () => {
  await put(report('deleted', ['in']));
  await world.send(CLINICIAN, 'DELETE', '/DiagnosticReport/deleted');
  say('OPTOUT', CLINICIAN, 'related', 'DiagnosticReport/deleted');
  assert.deepEqual(await seen(CLINICIAN), [
    'Observation/out',
    'DiagnosticReport/r1',
    'Communication/dependent',
  ]);
});

test('what cannot be told is not known: nothing is permitted by it, and all it may mean is withheld', async () => {
  const closed = { deleted: false, open: () => Promise.reject(new AppError('record-sealed', 'closed')) };
  const referencesFrom = storedReferences(
    { history: async () => [closed as unknown as SealedRecord] },
    () => '',
  );
  assert.equal(await referencesFrom('DiagnosticReport/closed'), undefined);
  const gateWorld = createWorld({ referencesFrom });
  const record = gateWorld.record({ resourceType: 'Observation', id: 'in' });
  const data = [{ meaning: 'related', reference: { reference: 'DiagnosticReport/closed' } }];
  for (const [rule, who] of [
    ['OPTIN', 'outsider'],
    ['OPTOUT', 'clinician'],
  ] as const) {
    gateWorld.consents.set('p1', [activeConsent(1, fhirConsent(rule, { data }))]);
    assert.equal((await gateWorld.gate.open(SESSIONS[who], record, 'read')).outcome, 'denied', rule);
  }
});

test('a record that never was relates nothing', async () => {
  say('OPTOUT', CLINICIAN, 'related', 'DiagnosticReport/never');
  assert.equal((await seen(CLINICIAN)).length, 4);
});
