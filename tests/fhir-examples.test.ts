import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { OperationOutcome, Resource } from '@medplum/fhirtypes';
import { REASONS, REFUSED_OF_ALL } from './fhir-examples.exceptions.ts';
import { CLINICIAN, createFhirWorld } from './support/fhir-world.ts';

/** `EXAMPLES=all npm test tests/fhir-examples.test.ts` takes all; otherwise every clinical one, and a tenth of the definitions. */
const TAKES_ALL = process.env.EXAMPLES === 'all';
const DEFINITIONS = new Set(['SearchParameter', 'ValueSet', 'CodeSystem', 'StructureDefinition']);
const DEFINITIONS_STEP = 10;
const folder = dirname(createRequire(import.meta.url).resolve('hl7.fhir.r4.examples/package.json'));

function chosenFiles(): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json') && file !== 'package.json');
  return files
    .sort()
    .filter(
      (file, place) =>
        TAKES_ALL || !DEFINITIONS.has(file.split('-')[0] as string) || place % DEFINITIONS_STEP === 0,
    );
}

test('every valid official example is created and read back equal; every other is refused, located, for a listed reason', async (context) => {
  const world = await createFhirWorld();
  let created = 0;
  let refused = 0;
  try {
    for (const file of chosenFiles()) {
      const example = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Resource;
      if (example.resourceType === undefined || example.id === undefined) continue;
      const url = `/${example.resourceType}/${example.id}`;
      const reply = await world.send(CLINICIAN, 'PUT', url, example);
      if (reply.status === 201 || reply.status === 200) {
        const { meta: _stored, ...read } = (await world.send(CLINICIAN, 'GET', url)).json;
        const { meta: _sent, ...sent } = example;
        assert.deepEqual(read, sent, file);
        created += 1;
      } else {
        assertListed(file, reply.json as unknown as OperationOutcome);
        refused += 1;
      }
    }
  } finally {
    await world.close();
  }
  context.diagnostic(`${created} created and read back equal, ${refused} refused for a listed reason`);
  assert.ok(created > 1000);
  if (TAKES_ALL) assert.equal(refused, REFUSED_OF_ALL);
  else assert.ok(refused <= REFUSED_OF_ALL);
});

function assertListed(file: string, outcome: OperationOutcome): void {
  const [issue] = outcome.issue ?? [];
  const text = issue?.details?.text ?? '';
  assert.ok(
    REASONS.some((one) => one.issue.test(text)),
    `${file}: ${text}`,
  );
  const isAboutTheId = /An id has/.test(text);
  assert.ok(isAboutTheId || issue?.expression?.[0] !== undefined, `${file}: the issue is not located`);
}
