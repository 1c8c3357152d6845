import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { OperationOutcome, Resource } from '@medplum/fhirtypes';
import { EXCEPTIONS } from './fhir-examples.exceptions.ts';
import { CLINICIAN, createFhirWorld, type FhirWorld } from './support/fhir-world.ts';

const EXAMPLES_IN_ALL = 5306;
const AT_ONCE = 32;
const folder = dirname(createRequire(import.meta.url).resolve('hl7.fhir.r4.examples/package.json'));

test('every valid official example is created and read back equal; every other is refused where and why it is listed', async (context) => {
  const world = await createFhirWorld();
  const waiting = readdirSync(folder).filter((file) => file.endsWith('.json') && file !== 'package.json');
  assert.equal(waiting.length, EXAMPLES_IN_ALL);
  const refused: string[] = [];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
      if (!(await isTaken(world, file))) refused.push(file);
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    await world.close();
  }
  context.diagnostic(`${EXAMPLES_IN_ALL - refused.length} created and read back equal`);
  for (const file of refused.sort()) context.diagnostic(`refused: ${file} ${EXCEPTIONS[file]?.why}`);
  assert.deepEqual(refused, Object.keys(EXCEPTIONS).sort(), 'what was refused is what is listed');
});

/** Whether the example is there and equal; when it was refused, that has to be where and why it is listed. */
async function isTaken(world: FhirWorld, file: string): Promise<boolean> {
  const example = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Resource;
  const url = `/${example.resourceType}/${example.id}`;
  const reply = await world.send(CLINICIAN, 'PUT', url, example);
  if (reply.status !== 201) {
    assertListed(file, reply.status, reply.json as unknown as OperationOutcome);
    return false;
  }
  const { meta: _stored, ...read } = (await world.send(CLINICIAN, 'GET', url)).json;
  const { meta: _sent, ...sent } = example;
  assert.deepEqual(read, sent, file);
  return true;
}

function assertListed(file: string, status: number, { resourceType, issue }: OperationOutcome): void {
  const [first] = issue ?? [];
  const text = first?.details?.text ?? '';
  const listed = EXCEPTIONS[file];
  assert.ok(listed !== undefined, `${file} was refused: ${status} ${text}`);
  assert.equal(resourceType, 'OperationOutcome', file);
  assert.equal(status, 422, file);
  assert.match(text, listed.text, file);
  assert.equal(first?.expression?.[0], listed.place, file);
}
