import type { Resource } from '@medplum/fhirtypes';
import { isPatientCompartmentType, isSharedType } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import type { Placement } from '../definitions/patient-compartment.ts';
import { readStoredLabels, readStoredNames } from '../labels/index.ts';
import { innerResourcesOf } from '../labels/inner-resources.ts';
import { type JsonObject, localReferencesOf } from '../labels/resource-walk.ts';
import type { RecordStore } from './record-store.ts';

/**
 * Elements whose target says whose the record is, whomever it names itself: R4 protects a Binary as what its `securityContext`
 * names; a Provenance and a Task tell of what they are about.
 */
const LINKS: Readonly<Record<string, string>> = {
  Binary: 'securityContext',
  Provenance: 'target',
  Task: 'focus',
};

const MAX_LINKS = 5000;
const NAME = /^[A-Z][A-Za-z]*\/[A-Za-z0-9.-]{1,64}$/;

/** A record's patients, the labels that it takes on, and the records that may say more of both once they are somebody's. */
export type LinkedPlacement = Placement & {
  readonly labels: readonly string[];
  readonly waits: readonly string[];
};

/**
 * Puts a record under the patients of the stored records that it is linked to, beside those that it names itself. What then is
 * still nobody's, and is of a type that speaks about patients, is put under those of every record that it refers to.
 */
export async function placeWithLinked(
  store: Pick<RecordStore, 'read'>,
  resource: Resource,
  own: Placement,
  ownBase: string,
): Promise<LinkedPlacement> {
  const linked = await placedBy(store, resource, own, linksOf(resource, ownBase));
  if (linked.subject !== null || !speaksOfPatients(resource.resourceType)) return linked;
  return placedBy(store, resource, own, allLinksOf(resource, ownBase));
}

/** What its element of links names: `Encounter/1`. */
export function linksOf(resource: Resource, ownBase: string): string[] {
  const element = LINKS[resource.resourceType];
  return element === undefined
    ? []
    : localReferencesOf((resource as unknown as JsonObject)[element], ownBase);
}

/** Everything it refers to, and everything it holds a copy of. */
function allLinksOf(resource: Resource, ownBase: string): string[] {
  const content = resource as unknown as JsonObject;
  const copies = innerResourcesOf(content, ownBase).flatMap(({ name }) => name ?? []);
  return [...new Set([...localReferencesOf(content, ownBase), ...copies])];
}

function speaksOfPatients(resourceType: string): boolean {
  return isPatientCompartmentType(resourceType) || !isSharedType(resourceType);
}

async function placedBy(
  store: Pick<RecordStore, 'read'>,
  resource: Resource,
  own: Placement,
  links: readonly string[],
): Promise<LinkedPlacement> {
  const targets: SealedRecord[] = [];
  const waits: string[] = [];
  for (const [type, id] of namesAmong(links)) {
    const target = await store.read(type, id);
    if (target !== undefined && patientsOf(target).length > 0) targets.push(target);
    else if (speaksOfPatients(type)) waits.push(`${type}/${id}`);
  }
  if (targets.length === 0) return { ...own, labels: [], waits };
  return { ...withPatientsOf(own, targets), labels: labelsOfAll(resource.resourceType, targets), waits };
}

function namesAmong(links: readonly string[]): [string, string][] {
  const names = links.filter((link) => NAME.test(link)).map((link) => link.split('/') as [string, string]);
  if (names.length > MAX_LINKS)
    throw new AppError(
      'too-many',
      `A resource that names no patient refers to at most ${MAX_LINKS} records here.`,
    );
  return names;
}

/** The subject of a record first, then the others whom it names. */
export function patientsOf({ subject, labels }: SealedRecord): string[] {
  const { others } = readStoredNames(labels);
  return subject === null ? [...others] : [subject, ...others];
}

function withPatientsOf(own: Placement, targets: readonly SealedRecord[]): Placement {
  const placements = [own, ...targets.map(placementOf)].filter(({ subject }) => subject !== null);
  const subjects = new Set(placements.flatMap(({ subject }) => subject ?? []));
  const [subject = null, ...otherSubjects] = subjects;
  const others = new Set([...otherSubjects, ...placements.flatMap(({ named }) => named.others)]);
  if (subject !== null) others.delete(subject);
  const isSubjectsOwn = subjects.size === 1 && placements.every(({ named }) => named.isSubjectsOwn);
  return { subject, named: { others: [...others].sort(), isSubjectsOwn } };
}

function placementOf(record: SealedRecord): Placement {
  const [subject = null, ...others] = patientsOf(record);
  const { isSubjectsOwn } = readStoredNames(record.labels);
  return { subject, named: { others, isSubjectsOwn: isSubjectsOwn && record.subject !== null } };
}

/** What all targets are, the record is. A Binary is shown whole or not at all, so that what parts of its context are counts too. */
export function labelsOfAll(resourceType: string, targets: readonly SealedRecord[]): string[] {
  const [first, ...more] = targets.map(({ labels }) => {
    const { own, parts } = readStoredLabels(labels);
    return resourceType === 'Binary' ? [...own, ...parts] : own;
  });
  return (first ?? []).filter((label) => more.every((labels) => labels.includes(label)));
}
