import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { AppError } from '../../shared/index.ts';
import {
  assignLabels,
  DEFAULT_LABEL_TABLE,
  definingReferences,
  extendLabelTable,
  labelTableWith,
  readStoredLabels,
  toStoredLabels,
  UNDEFINED_YET,
} from './index.ts';

const ICD = 'http://hl7.org/fhir/sid/icd-10-cm';
const SNOMED = 'http://snomed.info/sct';
const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm';

const concept = (system: string, code: string) => ({ coding: [{ system, code }] });
const condition = (system: string, code: string) => ({
  resourceType: 'Condition',
  code: concept(system, code),
});
const own = (resource: unknown) => assignLabels(resource, DEFAULT_LABEL_TABLE).own;

test('ICD ranges reach their ends and their subdivisions, and no further', () => {
  const cases: [string, string[]][] = [
    ['F10', ['substance-use']],
    ['F11.20', ['substance-use']],
    ['F19.99', ['substance-use']],
    ['F09', []],
    ['F20', ['mental-health']],
    ['F32.9', ['mental-health']],
    ['f32.9', ['mental-health']],
    ['F99', ['mental-health']],
    ['B19.20', []],
    ['B20', ['hiv']],
    ['Z21', ['hiv']],
    ['Z22.0', []],
    ['O04.5', ['reproductive']],
    ['Z33.2', ['reproductive']],
    ['Z33.1', []],
    ['Z33', []],
    ['E11.9', []],
    ['I10', []],
  ];
  for (const [code, expected] of cases) assert.deepEqual(own(condition(ICD, code)), expected, code);
});

test('codes of SNOMED CT, LOINC and RxNorm give labels under every name of their system', () => {
  assert.deepEqual(own(condition(SNOMED, '86406008')), ['hiv']);
  assert.deepEqual(own(condition('urn:oid:2.16.840.1.113883.6.96', '86406008')), ['hiv']);
  assert.deepEqual(own(condition('http://snomed.info/sct/731000124108', '86406008')), ['hiv']);
  assert.deepEqual(own(condition('urn:oid:2.16.840.1.113883.6.90', 'F20.0')), ['mental-health']);
  assert.deepEqual(own(condition('http://hl7.org/fhir/sid/icd-10', 'F20.0')), ['mental-health']);
  assert.deepEqual(own({ resourceType: 'Observation', code: concept('https://loinc.org/', '44261-6') }), [
    'mental-health',
  ]);
  assert.deepEqual(
    own({ resourceType: 'MedicationRequest', medicationCodeableConcept: concept(RXNORM, '6813') }),
    ['substance-use'],
  );
  assert.deepEqual(own({ resourceType: 'MolecularSequence' }), ['genetic']);
  assert.deepEqual(own(condition('urn:other', '86406008')), []);
});

test('a sensitive part makes a part label: contained resources, reasons, nested codings', () => {
  const reason = {
    resourceType: 'MedicationRequest',
    medicationCodeableConcept: concept(RXNORM, '1'),
    reasonCode: [concept(ICD, 'F32.9')],
  };
  assert.deepEqual(assignLabels(reason, DEFAULT_LABEL_TABLE), { own: [], parts: ['mental-health'] });
  const contained = {
    resourceType: 'Encounter',
    contained: [{ id: 'c', ...condition(SNOMED, '86406008') }, { resourceType: 'MolecularSequence' }],
  };
  assert.deepEqual(assignLabels(contained, DEFAULT_LABEL_TABLE), { own: [], parts: ['genetic', 'hiv'] });
  const deep = {
    resourceType: 'Claim',
    item: [
      { detail: [{ productOrService: { extension: [{ valueCoding: { system: ICD, code: 'Z21' } }] } }] },
    ],
  };
  assert.deepEqual(assignLabels(deep, DEFAULT_LABEL_TABLE).parts, ['hiv']);
});

test('what a prescription prescribes is the prescription', () => {
  const resource = {
    resourceType: 'MedicationRequest',
    medicationReference: { reference: '#m' },
    contained: [{ resourceType: 'Medication', id: 'm', code: concept(RXNORM, '195085') }],
  };
  assert.deepEqual(own(resource), ['hiv']);
  const base = 'http://here/fhir/R4';
  for (const reference of ['Medication/m1', 'Medication/m1/', 'Medication/m1#x', `${base}//Medication/m1`]) {
    const apart = { resourceType: 'MedicationRequest', medicationReference: { reference } };
    assert.deepEqual(definingReferences(apart, base), ['Medication/m1'], reference);
    assert.deepEqual(assignLabels(apart, DEFAULT_LABEL_TABLE, { inherited: ['hiv'] }).own, ['hiv']);
  }
  const kit = { resourceType: 'Medication', ingredient: [{ itemReference: { reference: 'Medication/m2' } }] };
  assert.deepEqual(definingReferences(kit, base), ['Medication/m2']);
  const within = { resourceType: 'MedicationRequest', contained: [{ id: 'm', ...kit }] };
  assert.deepEqual(definingReferences(within, base), ['Medication/m2']);
});

test('a label for what is not known yet lasts until the next write, and hides none that stays', () => {
  const prescription = { resourceType: 'MedicationRequest' };
  const unknown = { inherited: [UNDEFINED_YET] };
  const first = assignLabels(prescription, DEFAULT_LABEL_TABLE, unknown);
  assert.deepEqual(first.own, ['restricted']);
  const stored = toStoredLabels(first);
  assert.deepEqual(readStoredLabels(stored.labels), first);
  assert.deepEqual(assignLabels(prescription, DEFAULT_LABEL_TABLE, { previous: stored.labels }).own, []);
  const before = ['restricted', 'part:hiv'];
  const again = assignLabels(prescription, DEFAULT_LABEL_TABLE, { ...unknown, previous: before });
  const { labels } = toStoredLabels(again);
  assert.deepEqual(assignLabels(prescription, DEFAULT_LABEL_TABLE, { previous: labels }), {
    own: ['restricted'],
    parts: ['hiv'],
  });
});

test('security labels count: sensitivity codes, and R as such only where nothing explains it', () => {
  const marked = (...security: object[]) => own({ resourceType: 'Observation', meta: { security } });
  const R = { system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' };
  const PSY = { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'PSY' };
  assert.deepEqual(marked(PSY), ['mental-health']);
  assert.deepEqual(marked(R), ['restricted']);
  assert.deepEqual(marked(R, PSY), ['mental-health']);
  assert.deepEqual(marked({ system: 'urn:careledger:sensitivity', code: 'sealed' }, R), [
    'restricted',
    'sealed',
  ]);
});

test('a marking counts wherever R4 puts it, under each name of its system, and whatever it is about', () => {
  const ACT = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
  const LEVEL = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality';
  const document = (...codings: [string, string][]) =>
    own({
      resourceType: 'DocumentReference',
      securityLabel: codings.map(([system, code]) => concept(system, code)),
    });
  assert.deepEqual(document([LEVEL, 'V']), ['restricted']);
  assert.deepEqual(document([ACT, 'PSY']), ['mental-health']);
  assert.deepEqual(document([ACT, 'PSY'], [ACT, 'VIO'], [LEVEL, 'R']), ['mental-health', 'restricted']);
  for (const system of ['http://hl7.org/fhir/v3/ActCode', 'urn:oid:2.16.840.1.113883.5.4'])
    assert.deepEqual(document([system, 'PSY']), ['mental-health'], system);
  for (const system of ['http://hl7.org/fhir/v3/Confidentiality', 'urn:oid:2.16.840.1.113883.5.25'])
    assert.deepEqual(document([system, 'R']), ['restricted'], system);
  assert.deepEqual(document([LEVEL, 'N']), []);
  const bare = (...codes: string[]) => codes.map((code) => ({ code }));
  assert.deepEqual(own({ resourceType: 'Basic', meta: { security: bare('PSY', 'R') } }), ['mental-health']);
  assert.deepEqual(own({ resourceType: 'Basic', meta: { security: bare('N') } }), []);
  assert.deepEqual(own({ resourceType: 'DocumentReference', securityLabel: [{ coding: bare('V') }] }), [
    'restricted',
  ]);
  const composition = { resourceType: 'Composition', confidentiality: 'V' };
  assert.deepEqual(own(composition), ['restricted']);
  const bundle = { resourceType: 'Bundle', entry: [{ resource: composition }] };
  assert.deepEqual(assignLabels(bundle, DEFAULT_LABEL_TABLE).parts, ['restricted']);
});

test('every sensitivity code of HL7 gives a label', () => {
  const path = createRequire(import.meta.url).resolve('hl7.fhir.r4.examples/CodeSystem-v3-ActCode.json');
  type Concept = { code: string; concept?: Concept[] };
  const all = (concepts: Concept[]): Concept[] => concepts.flatMap((one) => [one, ...all(one.concept ?? [])]);
  const { url, concept: roots } = JSON.parse(readFileSync(path, 'utf8')) as {
    url: string;
    concept: Concept[];
  };
  const policy = all(roots).find(({ code }) => code === '_InformationSensitivityPolicy');
  const codes = all(policy?.concept ?? []).filter(({ code }) => !code.startsWith('_'));
  assert.ok(codes.length > 30, `${codes.length}`);
  for (const { code } of codes)
    assert.notDeepEqual(own({ resourceType: 'Flag', meta: { security: [{ system: url, code }] } }), [], code);
});

test('a label is never lost: an update that drops the code keeps it', () => {
  const first = toStoredLabels(assignLabels(condition(SNOMED, '86406008'), DEFAULT_LABEL_TABLE));
  const second = assignLabels(condition(SNOMED, '38341003'), DEFAULT_LABEL_TABLE, { previous: first.labels });
  assert.deepEqual(second.own, ['hiv']);
  const R = {
    resourceType: 'Observation',
    meta: { security: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' }] },
  };
  const restricted = toStoredLabels(assignLabels(R, DEFAULT_LABEL_TABLE)).labels;
  assert.deepEqual(assignLabels(condition(ICD, 'B20'), DEFAULT_LABEL_TABLE, { previous: restricted }).own, [
    'hiv',
    'restricted',
  ]);
});

test('stored labels read back, in whichever words they were written, and unknown ones restrict', () => {
  const stored = toStoredLabels({ own: ['hiv'], parts: ['genetic'] });
  assert.deepEqual(stored, { labels: ['hiv', 'part:genetic'], category: 'genetic' });
  assert.deepEqual(readStoredLabels(stored.labels), { own: ['hiv'], parts: ['genetic'] });
  assert.deepEqual(readStoredLabels(['PSY', 'general', 'part:HIV']), {
    own: ['mental-health'],
    parts: ['hiv'],
  });
  assert.deepEqual(readStoredLabels(['something-new']), { own: ['restricted'], parts: [] });
});

test('a hospital adds rows and cannot take any away', () => {
  const table = extendLabelTable(DEFAULT_LABEL_TABLE, [
    { label: 'reproductive', system: 'urn:hospital', codes: 'A1 A2' },
    { label: 'genetic', system: 'icd-10', codes: 'Q00-Q05' },
  ]);
  assert.deepEqual(assignLabels(condition('urn:hospital', 'A2'), table).own, ['reproductive']);
  assert.deepEqual(assignLabels(condition(ICD, 'Q05.1'), table).own, ['genetic']);
  assert.deepEqual(assignLabels(condition(SNOMED, '86406008'), table).own, ['hiv']);
  assert.deepEqual(own(condition('urn:hospital', 'A2')), []);
  assert.throws(
    () => extendLabelTable(DEFAULT_LABEL_TABLE, [{ label: 'odd', system: 'urn:x', codes: '1' }]),
    { code: 'invalid-request' },
  );
  assert.throws(
    () => extendLabelTable(DEFAULT_LABEL_TABLE, [{ label: 'hiv', system: 'icd-10', codes: 'Z9-B2' }]),
    { code: 'invalid-request' },
  );
});

test('nesting too deep is an error, not a crash', () => {
  let deep: object = {};
  for (let depth = 0; depth < 10_000; depth += 1) deep = { extension: [deep] };
  assert.throws(() => assignLabels({ resourceType: 'Observation', ...deep }, DEFAULT_LABEL_TABLE), {
    code: 'nesting-too-deep',
  });
  assert.deepEqual(assignLabels(null, DEFAULT_LABEL_TABLE), { own: [], parts: [] });
});

test('a hospital’s file adds rows, and one that is not understood is refused whole', () => {
  const file = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const row = { label: 'hiv', system: 'http://loinc.org', codes: '12345-6  12346-4' };
  assert.deepEqual(labelTableWith(file([row])).byCode.get('http://loinc.org|12346-4'), new Set(['hiv']));
  assert.equal(DEFAULT_LABEL_TABLE.byCode.get('http://loinc.org|12346-4'), undefined);
  for (const bad of [
    {},
    [null],
    ['hiv'],
    [{ ...row, codes: 7 }],
    [{ ...row, codes: ' ' }],
    [{ ...row, label: 'odd' }],
    [row, { ...row, code: 'x' }],
    Array.from({ length: 10_001 }, () => row),
  ])
    assert.throws(() => labelTableWith(file(bad)), AppError, JSON.stringify(bad).slice(0, 80));
  assert.throws(() => labelTableWith(new TextEncoder().encode('[')), AppError);
});
