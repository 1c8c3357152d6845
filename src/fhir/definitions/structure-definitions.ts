import { indexStructureDefinitionBundle } from '@medplum/core';
import type { StructureDefinition } from '@medplum/fhirtypes';
import { readDefinitionBundle } from './definition-files.ts';

export type Definitions = {
  /** Every resource type of R4, sorted. */
  readonly resourceTypes: readonly string[];
  readonly structures: ReadonlyMap<string, StructureDefinition>;
};

let loaded: Definitions | undefined;

/** Reads the R4 structure definitions once, and hands them to the validator. */
export function loadDefinitions(): Definitions {
  loaded ??= load();
  return loaded;
}

function load(): Definitions {
  const structures = new Map<string, StructureDefinition>();
  for (const file of ['profiles-types.json', 'profiles-resources.json']) {
    const bundle = readDefinitionBundle(file);
    indexStructureDefinitionBundle(bundle);
    for (const { resource } of bundle.entry ?? []) {
      if (resource?.resourceType === 'StructureDefinition') structures.set(resource.name, resource);
    }
  }
  const resourceTypes = [...structures.values()]
    .filter((one) => one.kind === 'resource' && one.abstract === false)
    .map((one) => one.name);
  return { structures, resourceTypes: resourceTypes.filter((name) => name !== 'Parameters').sort() };
}
