import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Resource } from '@medplum/fhirtypes';
import { loadDefinitions } from '../definitions/structure-definitions.ts';
import { signOf } from './surely-holds.ts';
import { isSurelyValid } from './surely-valid.ts';
import { findIssues } from './validate.ts';

type Json = Record<string, unknown>;

const folder = dirname(createRequire(import.meta.url).resolve('hl7.fhir.r4.examples/package.json'));
const EVERY = 5;
const MAX_BYTES = 20_000;
const MUTANTS = 12;
loadDefinitions();

/** What mutants get in place of a value: most of it is wrong in most places. */
const WRONG: readonly unknown[] = [
  null,
  '',
  ' ',
  'x y',
  ' x',
  'x\u0000',
  '2024-02-30',
  '2024-02-29T24:00:00Z',
  '2023-06-31',
  '2024-01-01T10:00:00',
  0,
  -1,
  1.5,
  2_147_483_648,
  true,
  false,
  [],
  {},
  [null],
  [''],
  ['x'],
  [{}],
  { resourceType: 'Patient' },
  { resourceType: 'Nothing' },
  { reference: '#nowhere' },
  { coding: [{ system: 'http://nowhere', code: 'nothing' }] },
  { extension: [{ url: 'http://x' }] },
  { value: 1, start: '2024-01-02', end: '2024-01-01' },
  'AAA=',
  'A===',
];

test('what is seen at once to be valid is valid by the whole validation, of official examples and of mutants', () => {
  const random = seeded(20_261_121);
  let [seen, sure, mutants] = [0, 0, 0];
  for (const example of examples()) {
    seen += 1;
    if (isSurelyValid(example)) {
      sure += 1;
      assert.deepEqual(findIssues(example), [], `${example.resourceType}/${example.id}`);
    }
    for (let one = 0; one < MUTANTS; one += 1) {
      const mutant = mutated(example, random);
      if (!isSurelyValid(mutant)) continue;
      mutants += 1;
      assert.deepEqual(findIssues(mutant), [], JSON.stringify(mutant));
    }
  }
  assert.ok(sure > seen / 4, `${sure} of ${seen} are seen at once`);
  assert.ok(mutants > 0 && mutants < (seen * MUTANTS) / 2, `${mutants} mutants are still valid`);
});

test('a common record is seen at once, and nothing that is wrong with it is overlooked', () => {
  const observation = {
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: 'Patient/ana' },
    effectiveDateTime: '2026-03-01T10:00:00Z',
    valueQuantity: { value: 72, unit: 'beats/min' },
  };
  const sure = (change: Json): boolean => isSurelyValid({ ...observation, ...change } as unknown as Resource);
  assert.equal(sure({}), true);
  const wrong: Json[] = [
    { status: 'nothing' },
    { status: undefined },
    { code: undefined },
    { unknown: 1 },
    { valueString: 'a second value' },
    { dataAbsentReason: { text: 'obs-6: and a value' } },
    { effectiveDateTime: '2026-02-29' },
    { subject: [{ reference: 'Patient/ana' }] },
    { note: { text: 'one, where there is a list' } },
    { note: [] },
    { contained: [{ resourceType: 'Patient', contained: [{ resourceType: 'Patient', id: 'x' }] }] },
    { component: [{ code: observation.code, valueQuantity: { value: '72' } }] },
  ];
  for (const change of wrong) assert.equal(sure(change), false, JSON.stringify(change));
});

test('an invariant is sure to hold only where an element that it is about is not there', () => {
  const obs6 = signOf('dataAbsentReason.empty() or value.empty()');
  assert.equal(obs6({ valueString: 'x' }), true);
  assert.equal(obs6({ dataAbsentReason: {}, valueString: 'x' }), false);
  assert.equal(
    signOf('contained.meta.security.empty()')({ contained: [{ meta: { security: [{}] } }] }),
    false,
  );
  assert.equal(signOf('contained.meta.security.empty()')({ contained: [{ meta: {} }, {}] }), true);
  assert.equal(signOf('period.exists() implies period >= 0')({ period: -1 }), false);
  assert.equal(signOf("name.matches('[A-Z]')")({}), false, 'an expression of another kind is never sure');
});

function examples(): Resource[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json') && file !== 'package.json');
  const texts = files
    .filter((_, at) => at % EVERY === 0)
    .map((file) => readFileSync(join(folder, file), 'utf8'));
  return texts.filter(({ length }) => length <= MAX_BYTES).map((text) => JSON.parse(text) as Resource);
}

/** A copy in which one value, somewhere, is gone, is another or has a neighbour that does not belong there. */
function mutated(resource: Resource, random: () => number): Resource {
  const copy = structuredClone(resource) as unknown as Json;
  const places = objectsIn(copy);
  const place = places[Math.floor(random() * places.length)] as Json;
  const names = Object.keys(place).filter((name) => name !== 'resourceType');
  const name = names[Math.floor(random() * names.length)] ?? 'id';
  const choice = random();
  if (choice < 0.2) delete place[name];
  else if (choice < 0.4)
    place[name] = Array.isArray(place[name]) ? (place[name] as unknown[])[0] : [place[name]];
  else if (choice < 0.5) place[`${name}X`] = place[name];
  else place[name] = WRONG[Math.floor(random() * WRONG.length)];
  return copy as unknown as Resource;
}

function objectsIn(value: unknown): Json[] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.values(value).flatMap(objectsIn);
  return Array.isArray(value) ? below : [value as Json, ...below];
}

/** A generator that gives the same numbers in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
