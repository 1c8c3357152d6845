import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StructureDefinition } from '@medplum/fhirtypes';
import { END_OF_TIME_MS, START_OF_DATA_MS } from '../../contracts/index.ts';
import { readDefinitionBundle } from '../definitions/definition-files.ts';
import { contentFacts } from './content-facts.ts';

const BASE = 'http://test/fhir/R4';
const WHO = 'Practitioner/x';
const factsOf = (resource: object) => contentFacts(resource as never, null, BASE);

/** Elements that R4 maps to one of the five questions: `Composition.section.author`. */
function elementsAbout(question: string): string[] {
  const definitions = (readDefinitionBundle('profiles-resources.json').entry ?? [])
    .map(({ resource }) => resource as StructureDefinition)
    .filter(({ resourceType, kind }) => resourceType === 'StructureDefinition' && kind === 'resource');
  const elements = definitions.flatMap(({ snapshot }) => snapshot?.element ?? []);
  return elements
    .filter(({ mapping = [] }) => mapping.some(({ identity, map }) => identity === 'w5' && map === question))
    .filter(({ type = [] }) => type.some(({ code }) => code === 'Reference'))
    .map(({ path }) => path ?? '');
}

function resourceWith(path: string): object {
  const [resourceType, ...elements] = path.split('.');
  const value = elements.reduceRight<object>((inner, name) => ({ [name]: [inner] }), { reference: WHO });
  return { resourceType, ...value };
}

test('whatever element R4 names for an author or a source is one that a denial by author reads', () => {
  const authors = elementsAbout('FiveWs.author');
  const sources = elementsAbout('FiveWs.source');
  assert.ok(authors.length > 25 && sources.length > 15, `${authors.length} ${sources.length}`);
  for (const path of [...authors, ...sources])
    assert.deepEqual(factsOf(resourceWith(path)).within?.authors, [WHO], path);
  for (const path of authors.filter((one) => one.split('.').length === 2))
    assert.deepEqual(factsOf(resourceWith(path)).authors, [WHO], path);
});

test('who had a hand in a part or in a resource within is found at any depth', () => {
  const paths = [
    'Specimen.collection.collector',
    'Claim.careTeam.provider',
    'Media.operator',
    'Procedure.performer.actor',
  ];
  for (const path of [...paths, 'DiagnosticReport.resultsInterpreter', 'Bundle.entry.resource.performer'])
    assert.deepEqual(factsOf(resourceWith(path)).within?.authors, [WHO], path);
  assert.deepEqual(factsOf(resourceWith('Communication.recipient')).within?.authors, []);
});

test('what a record holds: types of all, addresses of what is a copy of a record here', () => {
  const entry = (fullUrl: string | undefined, id: string) => ({
    fullUrl,
    resource: { resourceType: 'Observation', id },
  });
  const urn = 'urn:uuid:11111111-2222-4333-8444-555555555555';
  const held = factsOf({
    resourceType: 'Bundle',
    entry: [
      entry(`${BASE}/Observation/a`, 'a'),
      entry(urn, 'b'),
      entry(undefined, 'c'),
      entry('http://other/fhir/Observation/d', 'd'),
    ],
  }).within;
  assert.deepEqual(held?.types, ['Observation']);
  assert.deepEqual(held?.resources, ['Observation/a', 'Observation/b', 'Observation/c']);
  const contained = factsOf({ resourceType: 'List', contained: [{ resourceType: 'Media', id: 'm' }] }).within;
  assert.deepEqual([contained?.types, contained?.resources], [['Media'], []]);
});

const DAY_MS = 86_400_000;
const day = (text: string) => Date.parse(text);
const timesOf = (elements: object) => {
  const { dataTimeMs, dataEndMs } = factsOf({ resourceType: 'Encounter', ...elements });
  return [dataTimeMs, dataEndMs];
};

test('what a record holds is from when it says, and from any time where nobody can read that', () => {
  const contained = [
    { resourceType: 'Observation', effectiveDateTime: '2023-01-01' },
    { resourceType: 'Condition', onsetString: 'as a child', recordedDate: '2023-01-01' },
    { resourceType: 'Practitioner' },
  ];
  const { within, dataTimeMs } = factsOf({
    resourceType: 'DiagnosticReport',
    issued: '2019-01-01',
    contained,
  });
  assert.equal(dataTimeMs, day('2019-01-01'));
  assert.deepEqual(within?.times, [
    { fromMs: day('2023-01-01'), lastMs: day('2023-01-01') + DAY_MS - 1 },
    { fromMs: START_OF_DATA_MS, lastMs: END_OF_TIME_MS - 1 },
  ]);
});

test('a period reaches as far as it is open', () => {
  const [start, end] = ['2019-06-01', '2019-12-31'];
  assert.deepEqual(timesOf({ period: { start, end } }), [day(start), day(end) + DAY_MS - 1]);
  assert.deepEqual(timesOf({ period: { start } }), [day(start), END_OF_TIME_MS - 1]);
  assert.deepEqual(timesOf({ period: { end } }), [START_OF_DATA_MS, day(end) + DAY_MS - 1]);
});

test('a time that is there and cannot be read leaves the time unknown, whatever else there is', () => {
  const recordedDate = '2025-01-01';
  assert.deepEqual(timesOf({ recordedDate }), [day(recordedDate), day(recordedDate) + DAY_MS - 1]);
  const unreadable = [
    { onsetString: 'as a child' },
    { onsetAge: { value: 3 } },
    { effectiveTiming: { event: ['2018-01-01'] } },
    { _effectiveDateTime: { extension: [] } },
    { period: {} },
    { period: { start: 'long ago', end: '2018-01-01' } },
  ];
  for (const time of unreadable)
    assert.deepEqual(timesOf({ ...time, recordedDate }), [undefined, undefined], JSON.stringify(time));
});
