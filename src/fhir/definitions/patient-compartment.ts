import type { CompartmentDefinition, Resource } from '@medplum/fhirtypes';
import { readDefinition } from './definition-files.ts';
import type { SearchParameters } from './search-parameters.ts';

export type Compartment = {
  /** Ids of the Patients in whose compartment the resource is, the subject first. */
  patientsOf(resource: Resource): string[];
  /** Search parameters that link a type to the Patient compartment; undefined for a type outside it. */
  parametersOf(resourceType: string): readonly string[] | undefined;
};

/** Who a record is about counts before who took part in it. */
const SUBJECT_FIRST = ['subject', 'patient', 'beneficiary', 'individual'];

export function loadPatientCompartment(parameters: SearchParameters): Compartment {
  const definition = readDefinition<CompartmentDefinition>('compartmentdefinition-patient.json');
  const byType = new Map<string, readonly string[]>();
  for (const { code, param } of definition.resource ?? [])
    if (param !== undefined && param.length > 0) byType.set(code, sortSubjectFirst(param));
  return {
    parametersOf: (resourceType) => byType.get(resourceType),
    patientsOf(resource) {
      if (resource.resourceType === 'Patient') return resource.id === undefined ? [] : [resource.id];
      const codes = byType.get(resource.resourceType) ?? [];
      return [...new Set(codes.flatMap((code) => patientReferences(parameters, resource, code)))];
    },
  };
}

function sortSubjectFirst(codes: readonly string[]): string[] {
  const rank = (code: string) =>
    SUBJECT_FIRST.includes(code) ? SUBJECT_FIRST.indexOf(code) : SUBJECT_FIRST.length;
  return [...codes].sort((left, right) => rank(left) - rank(right));
}

function patientReferences(parameters: SearchParameters, resource: Resource, code: string): string[] {
  const values = parameters.find(resource.resourceType, code)?.valuesOf(resource) ?? [];
  return values.flatMap((value) => {
    const reference = (value as { reference?: unknown }).reference;
    const match = typeof reference === 'string' ? /^Patient\/([A-Za-z0-9.-]{1,64})$/.exec(reference) : null;
    return match === null ? [] : [match[1] as string];
  });
}
