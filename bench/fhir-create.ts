import { validateResource } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { loadFhirDefinitions } from '../src/fhir/index.ts';
import { type BenchCase, type BenchOptions, rateCase } from './bench-case.ts';
import { measureRate, startBenchServer } from './http-load.ts';

const GOAL = 0.3;
const WARM_UP_SECONDS = 2;
const BATCH = 50;

/** A create that is validated, sealed, logged and anchored before the reply, against Medplum's `validateResource` alone. */
export async function run({ seconds, rounds, progress }: BenchOptions): Promise<BenchCase[]> {
  const ours: number[] = [];
  const peer: number[] = [];
  loadFhirDefinitions();
  const care = await startBenchServer('./care-server.ts');
  const target = care.targets.create;
  if (target?.body === undefined) throw new Error('The server under test did not name its target.');
  const resource = JSON.parse(target.body) as Resource;
  try {
    await measureRate(target, WARM_UP_SECONDS);
    for (let round = 1; round <= rounds; round += 1) {
      peer.push(validationRate(resource, seconds));
      const measured = await measureRate(target, seconds);
      ours.push(measured.rate);
      progress(
        `   ${measured.rate.toFixed(0)} creates/s, p99 ${measured.p99Ms} ms; validateResource ${peer.at(-1)?.toFixed(0)}/s`,
      );
    }
  } finally {
    await care.stop();
  }
  return [rateCase('FHIR create vs. validateResource alone', 'per s', ours, peer, GOAL)];
}

function validationRate(resource: Resource, seconds: number): number {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < seconds * 1000) {
    for (let one = 0; one < BATCH; one += 1) validateResource(resource);
    count += BATCH;
  }
  return count / ((performance.now() - start) / 1000);
}
