import type { CompartmentDefinition, Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import type { NamedPatients } from '../labels/index.ts';
import { innerResourcesOf } from '../labels/inner-resources.ts';
import { type Json, type JsonObject, referencesOf } from '../labels/resource-walk.ts';
import { readDefinition } from './definition-files.ts';
import { localTarget } from './references.ts';
import type { SearchParameters } from './search-parameters.ts';

/** Whom a resource is kept under, and whom else it names. */
export type Placement = {
  readonly subject: string | null;
  readonly named: NamedPatients;
  /** Whether it says whom it is about, rather than only who took part in it. */
  readonly isAboutKnown: boolean;
  /** Those of them who only took part in it. What says that of nobody names all alike: an Appointment, a Group, a Bundle. */
  readonly takingPart: readonly string[];
};

export type Compartment = {
  /**
   * The Patient whom the resource is about, else the first in whose compartment it is, else the first it names anywhere. Whom
   * it names beside may be asked too. `ownBase` is this server's address, which references may begin with.
   */
  placementOf(resource: Resource, ownBase: string): Placement;
  /** Search parameters that link a type to the Patient compartment; undefined for a type outside it. */
  parametersOf(resourceType: string): readonly string[] | undefined;
};

const SUBJECT_ELEMENTS = ['subject', 'patient', 'for'];
const MAX_NAMED = 1000;

/** Who a record is about counts before who took part in it. */
const SUBJECT_FIRST = ['subject', 'patient', 'beneficiary', 'individual'];

/**
 * Elements whose target says whose the record is, whomever it names itself: R4 protects a Binary as what its `securityContext`
 * names; an AuditEvent, a Provenance and a Task tell of what they are about.
 */
export const ELEMENT_OF_LINKS: Readonly<Record<string, string>> = {
  AuditEvent: 'entity',
  Binary: 'securityContext',
  Provenance: 'target',
  Task: 'focus',
};

/** The parameter `patient` of an AuditEvent finds who did it as well as whose record it was. */
const isAbout = (type: string, code: string) => type !== 'AuditEvent' && SUBJECT_FIRST.includes(code);

export function loadPatientCompartment(parameters: SearchParameters): Compartment {
  const definition = readDefinition<CompartmentDefinition>('compartmentdefinition-patient.json');
  const byType = new Map<string, readonly string[]>();
  for (const { code, param } of definition.resource ?? [])
    if (param !== undefined && param.length > 0) byType.set(code, sortSubjectFirst(param));
  return {
    parametersOf: (resourceType) => byType.get(resourceType),
    placementOf(resource, ownBase) {
      const type = resource.resourceType;
      const codes = byType.get(type) ?? [];
      const patientIn = (reference: string) => patientOfReference(reference, ownBase);
      const linked = (wanted: readonly string[]) =>
        wanted.flatMap((code) => referencesBy(parameters, resource, code, ownBase)).flatMap(patientIn);
      const self = type === 'Patient' && resource.id !== undefined ? [resource.id] : [];
      const subjects = linked(codes.filter((code) => isAbout(type, code)));
      const elements = [...subjectOutside(resource, codes), ...linksWithin(resource)];
      const about = new Set([...self, ...subjects, ...elements.flatMap(patientIn)]);
      const references = referencesOf(resource as unknown as Json);
      if (type !== 'Bundle') refuseConditional(references, ownBase);
      const byCompartment = linked(codes);
      const anywhere = references.flatMap(patientIn);
      const named = [...byCompartment, ...anywhere, ...patientsInBundle(resource, ownBase)];
      // What a List has for its items is what it is about, as far as it says no more.
      const others = type === 'List' ? byCompartment : named;
      const takingPart = saysWhomAbout(parameters, type, codes) ? others.filter((id) => !about.has(id)) : [];
      return placed(about, named, takingPart);
    },
  };
}

/** Whether a reference is written as a search: `Patient?identifier=1`. */
export function isConditionalReference(reference: string): boolean {
  return /^\/?[A-Z][A-Za-z]+\/?\?/.test(reference);
}

/** R4 http, "transaction": only there may a reference be a search. Kept as it is, it would file the record under nobody. */
function refuseConditional(references: readonly string[], ownBase: string): void {
  const relative = (reference: string) =>
    reference.startsWith(ownBase) ? reference.slice(ownBase.length) : reference;
  if (!references.some((reference) => isConditionalReference(relative(reference)))) return;
  throw new AppError(
    'invalid-resource',
    'A reference is written Type/id here. One by a search (Type?parameter=value) is only for an entry of a transaction.',
  );
}

/** What its element of links names. */
export function linksWithin(resource: Resource): string[] {
  const element = ELEMENT_OF_LINKS[resource.resourceType];
  return element === undefined ? [] : referencesOf((resource as unknown as JsonObject)[element]);
}

/** Whether a type has an element for whom a record of it is about, so that who stands elsewhere only takes part. */
function saysWhomAbout(parameters: SearchParameters, type: string, codes: readonly string[]): boolean {
  if (ELEMENT_OF_LINKS[type] !== undefined) return true;
  const possible = codes.length > 0 ? codes : SUBJECT_FIRST;
  return possible.some((code) => isAbout(type, code) && parameters.find(type, code) !== undefined);
}

/** Types outside the compartment that are about a patient all the same: a Task, a Device, a Contract. */
function subjectOutside(resource: Resource, codes: readonly string[]): string[] {
  if (codes.length > 0) return [];
  const elements = resource as unknown as JsonObject;
  return SUBJECT_ELEMENTS.flatMap((element) => referencesOf(elements[element]));
}

function placed(
  about: ReadonlySet<string>,
  named: readonly string[],
  takingPart: readonly string[],
): Placement {
  const [subject = null, ...others] = new Set([...about, ...named]);
  refuseTooMany(others);
  const isSubjectsOwn = about.size === 1;
  return {
    subject,
    named: { others: others.sort(), isSubjectsOwn },
    isAboutKnown: about.size > 0,
    takingPart: [...new Set(takingPart)],
  };
}

/** Each of them is asked, and has an entry of the log, whenever somebody asks for the record. */
export function refuseTooMany(others: readonly string[]): void {
  if (others.length <= MAX_NAMED) return;
  throw new AppError(
    'invalid-resource',
    `A resource names, itself or by what it refers to, at most ${MAX_NAMED} patients beside its own. Split it.`,
  );
}

/** A Bundle may carry Patients that nothing in it refers to. Those of another server are not people of this one. */
function patientsInBundle(resource: Resource, ownBase: string): string[] {
  if (resource.resourceType !== 'Bundle') return [];
  const inner = innerResourcesOf(resource as unknown as JsonObject, ownBase);
  return inner.flatMap(({ name = '' }) => patientOfReference(name, ownBase));
}

function sortSubjectFirst(codes: readonly string[]): string[] {
  const rank = (code: string) =>
    SUBJECT_FIRST.includes(code) ? SUBJECT_FIRST.indexOf(code) : SUBJECT_FIRST.length;
  return [...codes].sort((left, right) => rank(left) - rank(right));
}

function referencesBy(
  parameters: SearchParameters,
  resource: Resource,
  code: string,
  ownBase: string,
): string[] {
  const values = parameters.find(resource.resourceType, code)?.valuesOf(resource, ownBase) ?? [];
  return values.flatMap((value) => {
    const { reference } = value as { reference?: unknown };
    return typeof reference === 'string' ? [reference] : [];
  });
}

/** The id of the Patient of this server that a reference names. */
function patientOfReference(reference: string, ownBase: string): string[] {
  const target = localTarget(reference, ownBase);
  return target?.type === 'Patient' ? [target.id] : [];
}
