/** What somebody may see only a part of: no search matches by the rest, however it is asked, and no view tells of the rest. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { redactResource } from '../src/fhir/gate/redact.ts';
import { DEFAULT_LABEL_TABLE } from '../src/fhir/index.ts';
import type { JsonObject } from '../src/fhir/labels/resource-walk.ts';
import { activeConsent, fhirConsent } from './consent/fhir-consent.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld, OUTSIDER } from './support/fhir-world.ts';

const B20 = { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'B20' }] };
let world: FhirWorld;

before(async () => {
  world = await createFhirWorld();
  await put({ resourceType: 'Patient', id: 'p1' });
  world.consents.set('p1', [activeConsent(1, fhirConsent('OPTIN'))]);
  await put({ resourceType: 'Practitioner', id: 'psy', name: [{ family: 'Psy' }] });
  await put({ resourceType: 'Practitioner', id: 'open', name: [{ family: 'Open' }] });
});
after(() => world.close());

async function put(resource: { resourceType: string; id: string } & Record<string, unknown>): Promise<void> {
  const url = `/${resource.resourceType}/${resource.id}`;
  assert.equal((await world.send(CLINICIAN, 'PUT', url, resource)).status, 201);
}

async function totals(url: string): Promise<unknown[]> {
  const replies = [await world.send(CLINICIAN, 'GET', url), await world.send(OUTSIDER, 'GET', url)];
  for (const { status, body } of replies) assert.equal(status, 200, body);
  return replies.map(({ json }) => json.total);
}

test('a chain goes through no part that the requester may not see', async () => {
  await put({
    resourceType: 'Encounter',
    id: 'e1',
    status: 'finished',
    class: { code: 'AMB' },
    subject: { reference: 'Patient/p1' },
    participant: [
      { type: [B20], individual: { reference: 'Practitioner/psy' } },
      { individual: { reference: 'Practitioner/open' } },
    ],
  });
  const seen = (await world.send(OUTSIDER, 'GET', '/Encounter/e1')).json;
  assert.deepEqual(seen.participant, [{ individual: { reference: 'Practitioner/open' } }]);
  for (const hidden of ['._id=psy', '.name=Psy', '.name:exact=Psy'])
    assert.deepEqual(await totals(`/Encounter?participant:Practitioner${hidden}`), [1, 0], hidden);
  for (const both of ['._id=open', '.name=Open', '._id=open,psy'])
    assert.deepEqual(await totals(`/Encounter?participant:Practitioner${both}`), [1, 1], both);
  assert.deepEqual(await totals('/Encounter?participant:Practitioner._id=nobody'), [0, 0]);
});

test('an absence among several values is judged on what the requester sees', async () => {
  const quantity = (value: number) => ({ value, system: 'http://unitsofmeasure.org', code: '1' });
  await put({
    resourceType: 'Observation',
    id: 'o1',
    status: 'final',
    code: { text: 'panel' },
    subject: { reference: 'Patient/p1' },
    component: [
      { code: B20, valueQuantity: quantity(4) },
      { code: { text: 'rate' }, valueQuantity: quantity(7) },
    ],
  });
  const component = (value: string) => totals(`/Observation?component-value-quantity=${value}`);
  for (const value of ['ne4', '999,ne4', 'ne4,999', '999,ne5'])
    assert.equal((await component(value))[1], 1, `${value}: the 4 is hidden, so it hinders nothing`);
  for (const value of ['ne7', '999,ne7', '4', '999,4'])
    assert.equal((await component(value))[1], 0, `${value}: of the requester's one value, which is 7`);
  assert.deepEqual(await component('999,ne7,7'), [1, 1]);
});

const viewOf = (resource: JsonObject): JsonObject => redactResource(resource, ['hiv'], DEFAULT_LABEL_TABLE);

test('a view has no display of a reference to health data, though the reference has nothing but a display', () => {
  const url = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason';
  const masked = { url, valueCode: 'masked' };
  const practitioner = { type: 'Practitioner', display: 'Dr. Psy' };
  const view = viewOf({
    resourceType: 'ServiceRequest',
    reasonReference: [{ type: 'Condition', display: 'HIV infection' }, { display: 'HIV infection' }],
    performer: [practitioner],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }] },
    orderDetail: [{ coding: [{ code: 'local', display: 'Kept' }] }],
  });
  assert.deepEqual(view.reasonReference, [{ type: 'Condition' }, { extension: [masked] }]);
  assert.deepEqual(view.performer, [practitioner]);
  assert.ok(JSON.stringify(view).includes('Heart rate') && JSON.stringify(view).includes('Kept'));
});

test('no number in a view of a claim tells of what was taken out of it', () => {
  const flu = (sequence: number) => ({ sequence, diagnosisCodeableConcept: { text: 'flu' } });
  const claim = (diagnosis: JsonObject[], diagnosisSequence: number[]): JsonObject => ({
    resourceType: 'Claim',
    diagnosis,
    item: [{ sequence: 1, diagnosisSequence, productOrService: { text: 'visit' } }],
  });
  const hidden = { sequence: 2, diagnosisCodeableConcept: B20 };
  const view = viewOf(claim([flu(1), hidden, flu(3)], [1, 2]));
  assert.deepEqual(view, viewOf(claim([flu(1), flu(2)], [1])));
  assert.deepEqual(view.item, [{ sequence: 1, productOrService: { text: 'visit' } }]);
  assert.equal((view.diagnosis as unknown[]).length, 2);
});

test('no sum in a view tells of an item that was taken out, and no gap between the items does', () => {
  const money = (value: number) => ({ value, currency: 'EUR' });
  const line = (sequence: number, code: JsonObject) => ({ sequence, productOrService: code, net: money(10) });
  const visit = (sequence: number) => line(sequence, { text: 'visit' });
  const bill = (resourceType: string, items: JsonObject[]) => {
    const total = resourceType === 'Claim' ? money(items.length) : [{ amount: money(items.length) }];
    const sums =
      resourceType === 'Claim' ? {} : { payment: { amount: money(items.length) }, adjudication: [] };
    return viewOf({ resourceType, item: items, total, ...sums });
  };
  for (const type of ['Claim', 'ExplanationOfBenefit']) {
    assert.deepEqual(bill(type, [visit(1), line(2, B20), visit(3)]), bill(type, [visit(1), visit(2)]), type);
    assert.deepEqual(bill(type, [visit(1)]).item, [visit(1)]);
  }
  const invoice = (lineItem: JsonObject[]) => {
    const sum = money(lineItem.length);
    return viewOf({
      resourceType: 'Invoice',
      lineItem,
      totalNet: sum,
      totalGross: sum,
      totalPriceComponent: [{ type: 'base', amount: sum }],
    });
  };
  const sold = (sequence: number, code: JsonObject) => ({ sequence, chargeItemCodeableConcept: code });
  const soap = (sequence: number) => sold(sequence, { text: 'soap' });
  assert.deepEqual(invoice([soap(1), sold(2, B20), soap(3)]), invoice([soap(1), soap(2)]));
});

test('numbering the items of a view anew searches no list for each of them', (context) => {
  const { indexOf } = Array.prototype;
  context.after(() => Object.assign(Array.prototype, { indexOf }));
  let searches = 0;
  Array.prototype.indexOf = function (...sought) {
    searches += 1;
    return indexOf.apply(this, sought);
  };
  const item = Array.from({ length: 2000 }, (_, at) => ({ sequence: 2 * at + 1 }));
  const view = viewOf({ resourceType: 'Claim', item });
  assert.ok(searches < 100, `${searches} searches`);
  assert.deepEqual(
    view.item,
    item.map((_, at) => ({ sequence: at + 1 })),
  );
});

test('a view of an answer to a claim keeps the numbers that say which item it answers', () => {
  const item = [{ itemSequence: 4, noteNumber: [1], adjudication: [] }];
  const view = viewOf({ resourceType: 'ClaimResponse', item });
  assert.deepEqual(view.item, [{ itemSequence: 4, adjudication: [] }]);
});

test('what only a removed item named goes with it, and whatever names what is removed', () => {
  const person = (id: string, more: JsonObject = {}): JsonObject => ({
    resourceType: 'Practitioner',
    id,
    ...more,
  });
  const secret = { resourceType: 'Condition', id: 'secret', code: B20 };
  const names = (...ids: string[]) =>
    ids.map((id) => ({ url: 'urn:x', valueReference: { reference: `#${id}` } }));
  const referral = (more: JsonObject): JsonObject => ({
    resourceType: 'ServiceRequest',
    code: { text: 'referral' },
    performer: [{ reference: '#open' }],
    ...more,
  });
  const view = viewOf(
    referral({
      contained: [
        secret,
        person('open', { extension: names('boss') }),
        person('boss'),
        person('psy', { extension: names('clinic') }),
        { resourceType: 'Organization', id: 'clinic' },
        { resourceType: 'Observation', id: 'because', extension: names('secret') },
        { resourceType: 'Task', id: 'about', focus: { reference: '#' } },
      ],
      supportingInfo: [{ reference: '#because' }, { reference: '#about' }],
      reasonCode: [{ ...B20, extension: names('psy') }],
    }),
  );
  assert.deepEqual(
    (view.contained as JsonObject[]).map(({ id }) => id),
    ['open', 'boss', 'about'],
  );
  assert.deepEqual(view.supportingInfo, [{ reference: '#about' }]);
  const hidden = referral({
    contained: [person('open'), person('psy')],
    reasonCode: [{ ...B20, extension: names('psy') }],
  });
  assert.deepEqual(viewOf(hidden), viewOf(referral({ contained: [person('open')] })));
});

test('no rank, count or canonical in a view tells of what was taken out', () => {
  const stay = (...diagnosis: JsonObject[]) => viewOf({ resourceType: 'Encounter', diagnosis });
  const flu = (rank: number) => ({ condition: { reference: 'Condition/flu' }, rank });
  assert.deepEqual(
    stay(flu(2), { condition: { reference: 'Condition/x' }, use: B20, rank: 1 }),
    stay(flu(1)),
  );
  const series = { uid: '1.1', modality: { code: 'US' }, numberOfInstances: 1, instance: [{ uid: '1.1.1' }] };
  const hidden = { ...series, uid: '1.2', reasonCode: [B20] };
  const study = (all: JsonObject[]) =>
    viewOf({
      resourceType: 'ImagingStudy',
      series: all,
      numberOfSeries: all.length,
      numberOfInstances: all.length,
    });
  assert.deepEqual(study([series, hidden]), study([series]));
  assert.deepEqual(study([series]).series, [series]);
  const form = { resourceType: 'Questionnaire', id: 'q1', code: [B20.coding[0] as JsonObject] };
  const answers = { resourceType: 'QuestionnaireResponse', status: 'completed' };
  const view = viewOf({ ...answers, contained: [form], questionnaire: '#q1' });
  assert.deepEqual(view, viewOf(answers));
});
