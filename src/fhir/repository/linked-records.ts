import type { Resource } from '@medplum/fhirtypes';
import type { SealedRecord } from '../../vault/index.ts';
import type { Placement } from '../definitions/patient-compartment.ts';
import { readStoredLabels, readStoredNames } from '../labels/index.ts';
import { type JsonObject, localReferencesOf } from '../labels/resource-walk.ts';
import type { RecordStore } from './record-store.ts';

/**
 * Elements whose target says whose the record is: R4 protects a Binary as what its `securityContext` names; a Provenance and a
 * Task tell of what they are about.
 */
const LINKS: Readonly<Record<string, string>> = {
  Binary: 'securityContext',
  Provenance: 'target',
  Task: 'focus',
};

/** Whether records of this type are placed by others, which have to be there first. */
export function isLinkedType(resourceType: string): boolean {
  return resourceType in LINKS;
}

/** A record's patients and the labels that it takes on. */
export type LinkedPlacement = Placement & { readonly labels: readonly string[] };

/** Puts a record under the patients of the stored records that it is linked to, beside those that it names itself. */
export async function placeWithLinked(
  store: Pick<RecordStore, 'read'>,
  resource: Resource,
  own: Placement,
  ownBase: string,
): Promise<LinkedPlacement> {
  const targets = await linkedRecords(store, resource, ownBase);
  if (targets.length === 0) return { ...own, labels: [] };
  return { ...withPatientsOf(own, targets), labels: labelsOfAll(resource, targets) };
}

async function linkedRecords(
  store: Pick<RecordStore, 'read'>,
  resource: Resource,
  ownBase: string,
): Promise<SealedRecord[]> {
  const element = LINKS[resource.resourceType];
  if (element === undefined) return [];
  const records: SealedRecord[] = [];
  for (const reference of localReferencesOf((resource as unknown as JsonObject)[element], ownBase)) {
    const [type, id, ...more] = reference.split('/');
    if (type === undefined || id === undefined || more.length > 0) continue;
    const target = await store.read(type, id);
    if (target !== undefined) records.push(target);
  }
  return records;
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

function placementOf({ subject, labels }: SealedRecord): Placement {
  return { subject, named: readStoredNames(labels) };
}

/** What all targets are, the record is. A Binary is shown whole or not at all, so that what parts of its context are counts too. */
function labelsOfAll({ resourceType }: Resource, targets: readonly SealedRecord[]): string[] {
  const [first, ...more] = targets.map(({ labels }) => {
    const { own, parts } = readStoredLabels(labels);
    return resourceType === 'Binary' ? [...own, ...parts] : own;
  });
  return (first ?? []).filter((label) => more.every((labels) => labels.includes(label)));
}
