import type { BenchCase, BenchOptions } from './bench-case.ts';
import { run as consents } from './consent-throughput.ts';
import { run as consortium } from './consortium-throughput.ts';
import { run as fhirCreate } from './fhir-create.ts';
import { run as fhirRead } from './fhir-read.ts';
import { run as growth } from './growth.ts';
import { run as stateSync } from './state-sync.ts';
import { run as syntheaImport } from './synthea-import.ts';

/** Every benchmark, by the name that `npm run bench -- NAME` takes. */
export const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<BenchCase[]>>> = {
  consents,
  consortium,
  'fhir-read': fhirRead,
  'fhir-create': fhirCreate,
  'state-sync': stateSync,
  'synthea-import': syntheaImport,
  growth,
};
