/**
 * The official examples are valid but for a few, so invalid ones are made of them: each is broken in one known way at one
 * known place, and has to be refused with an OperationOutcome that names the place, and leave nothing behind.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { OperationOutcome, Resource } from '@medplum/fhirtypes';
import { seededRandom } from '../src/engine/power-loss-storage.ts';
import { EXCEPTIONS } from './fhir-examples.exceptions.ts';
import { MUTATION_KINDS, type Mutant, mutate } from './support/fhir-mutations.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld } from './support/fhir-world.ts';

/** `MUTANTS=all npm test tests/fhir-invalid.test.ts` breaks every example; otherwise one in so many. */
const STEP = process.env.MUTANTS === 'all' ? 1 : 9;
const SEED = 20_261_121;
const MAX_BYTES = 50_000;
const LEAST_OF_A_KIND = 10;
const folder = dirname(createRequire(import.meta.url).resolve('hl7.fhir.r4.examples/package.json'));

function chosenExamples(): Resource[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json') && file !== 'package.json');
  return files
    .sort()
    .filter((file, place) => place % STEP === 0 && EXCEPTIONS[file] === undefined)
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .filter((text) => text.length <= MAX_BYTES)
    .map((text) => JSON.parse(text) as Resource);
}

test('an example broken in a known way is refused at the place where it was broken', async (context) => {
  const world = await createFhirWorld();
  const random = seededRandom(SEED);
  const tried = new Map(MUTATION_KINDS.map((kind) => [kind, 0]));
  try {
    for (const example of chosenExamples()) {
      for (const kind of MUTATION_KINDS) {
        const mutant = mutate(example, kind, random);
        if (mutant === undefined) continue;
        await assertRefused(world, mutant);
        tried.set(kind, (tried.get(kind) as number) + 1);
      }
      const { resourceType, id } = example;
      assert.equal(await world.vault.read(resourceType, id as string), undefined, `${resourceType}/${id}`);
    }
  } finally {
    await world.close();
  }
  context.diagnostic([...tried].map(([kind, count]) => `${count} ${kind}`).join(', '));
  for (const [kind, count] of tried) assert.ok(count >= LEAST_OF_A_KIND, `${kind}: ${count}`);
});

async function assertRefused(world: FhirWorld, { kind, resource, places }: Mutant): Promise<void> {
  const what = `${resource.resourceType}/${resource.id}, ${kind} at ${places[0]}`;
  const reply = await world.send(CLINICIAN, 'PUT', `/${resource.resourceType}/${resource.id}`, resource);
  const outcome = reply.json as unknown as OperationOutcome;
  assert.equal(reply.status, 422, `${what}: ${JSON.stringify(outcome).slice(0, 400)}`);
  assert.equal(outcome.resourceType, 'OperationOutcome', what);
  const named = outcome.issue.flatMap(({ expression }) => expression ?? []);
  assert.ok(
    named.some((place) => places.some((known) => isAtOrBelow(place, known))),
    `${what}: ${JSON.stringify(outcome.issue).slice(0, 400)}`,
  );
  for (const { expression } of outcome.issue)
    assert.ok((expression?.[0] ?? '') !== '', `${what}: an issue is not located`);
}

function isAtOrBelow(place: string, known: string): boolean {
  return place === known || place.startsWith(`${known}.`) || place.startsWith(`${known}[`);
}
