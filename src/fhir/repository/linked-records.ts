import type { Resource } from '@medplum/fhirtypes';
import { isPatientCompartmentType, isSharedType } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { type Placement, refuseTooMany } from '../definitions/patient-compartment.ts';
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

/** What these name is often nobody's for good: the diary of a practitioner, a device in stock, a herd. */
const OFTEN_NOBODYS: ReadonlySet<string> = new Set(['Device', 'Group', 'Schedule']);
const MAX_LINKS = 5000;
const NAME = /^[A-Z][A-Za-z]*\/[A-Za-z0-9.-]{1,64}$/;

type Whose = Pick<Placement, 'subject' | 'named'>;

/** A record's patients, and the labels that it takes on from what it is linked to. */
export type LinkedPlacement = Whose & {
  readonly labels: readonly string[];
  /** Whether nobody can tell whose it is, though it may well be somebody's: it is for its author alone. */
  readonly isOpen: boolean;
};

type Store = Pick<RecordStore, 'read'>;

/**
 * Puts a record under the patients of the stored records that it is linked to, beside those that it names itself. What then does
 * not say whom it is about, and is of a type that speaks about patients, is put under those of every record that it refers to.
 * `namers` are records that name it, and say whose it is where it is a Binary without a `securityContext`.
 */
export async function placeWithLinked(
  store: Store,
  resource: Resource,
  own: Placement,
  ownBase: string,
  namers: readonly string[] = [],
): Promise<LinkedPlacement> {
  const type = resource.resourceType;
  const direct = await targetsOf(store, linksOf(resource, ownBase));
  const isSettled = own.isAboutKnown || direct.placed.length > 0 || !speaksOfPatients(type);
  const { placed, isAnyMissing } = isSettled ? direct : await targetsOf(store, allLinksOf(resource, ownBase));
  const naming = isUnplacedBinary(resource) ? (await targetsOf(store, namers)).placed : [];
  const whose = withPatientsOf(own, [...placed, ...naming]);
  const labels = [...labelsOfAll(type, placed), ...naming.flatMap((one) => labelsOfAll(type, [one]))];
  const mayBeSomebodys = speaksOfPatients(type) && (type === 'Binary' || isAnyMissing);
  return { ...whose, labels, isOpen: whose.subject === null && mayBeSomebodys };
}

/** Whether it says nothing of whose it is, so that what names it does (R4 binary, "securityContext"). */
export function isUnplacedBinary(resource: Resource): boolean {
  return resource.resourceType === 'Binary' && resource.securityContext === undefined;
}

/** What its element of links names: `Encounter/1`. */
export function linksOf(resource: Resource, ownBase: string): string[] {
  const element = LINKS[resource.resourceType];
  return element === undefined
    ? []
    : localReferencesOf((resource as unknown as JsonObject)[element], ownBase);
}

/** Everything it refers to, and everything it holds a copy of. The Patients among them it names itself. */
function allLinksOf(resource: Resource, ownBase: string): string[] {
  const content = resource as unknown as JsonObject;
  const copies = innerResourcesOf(content, ownBase).flatMap(({ name }) => name ?? []);
  const links = new Set([...localReferencesOf(content, ownBase), ...copies]);
  return [...links].filter((link) => !link.startsWith('Patient/'));
}

function speaksOfPatients(resourceType: string): boolean {
  return isPatientCompartmentType(resourceType) || !isSharedType(resourceType);
}

/** The stored records of patients among these, and whether any other of them may yet be one. */
async function targetsOf(
  store: Store,
  links: readonly string[],
): Promise<{ readonly placed: readonly SealedRecord[]; readonly isAnyMissing: boolean }> {
  const placed: SealedRecord[] = [];
  let isAnyMissing = false;
  for (const [type, id] of namesAmong(links)) {
    const target = await store.read(type, id);
    if (target !== undefined && patientsOf(target).length > 0) placed.push(target);
    else isAnyMissing ||= speaksOfPatients(type) && !(target !== undefined && OFTEN_NOBODYS.has(type));
  }
  return { placed, isAnyMissing };
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

function withPatientsOf(own: Placement, targets: readonly SealedRecord[]): Whose {
  if (targets.length === 0) return { subject: own.subject, named: own.named };
  const ofTargets = targets.map(placementOf);
  // Who only takes part comes after whom it is about.
  const all = own.isAboutKnown ? [own, ...ofTargets] : [...ofTargets, own];
  const placements = all.filter(({ subject }) => subject !== null);
  const subjects = new Set(placements.flatMap(({ subject }) => subject ?? []));
  const [subject = null, ...otherSubjects] = subjects;
  const others = new Set([...otherSubjects, ...placements.flatMap(({ named }) => named.others)]);
  if (subject !== null) others.delete(subject);
  refuseTooMany([...others]);
  const isSubjectsOwn = subjects.size === 1 && placements.every(({ named }) => named.isSubjectsOwn);
  return { subject, named: { others: [...others].sort(), isSubjectsOwn } };
}

function placementOf(record: SealedRecord): Whose {
  const [subject = null, ...others] = patientsOf(record);
  const { isSubjectsOwn } = readStoredNames(record.labels);
  return { subject, named: { others, isSubjectsOwn: isSubjectsOwn && record.subject !== null } };
}

/** What all targets are, the record is. A Binary is shown whole or not at all, so that what parts of its context are counts too. */
function labelsOfAll(resourceType: string, targets: readonly SealedRecord[]): string[] {
  const [first, ...more] = targets.map(({ labels }) => {
    const { own, parts } = readStoredLabels(labels);
    return resourceType === 'Binary' ? [...own, ...parts] : own;
  });
  return (first ?? []).filter((label) => more.every((labels) => labels.includes(label)));
}
