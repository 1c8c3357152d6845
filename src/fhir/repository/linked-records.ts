import type { Resource } from '@medplum/fhirtypes';
import { isPatientCompartmentType, isResourceType, isSharedType } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { linksWithin, type Placement, refuseTooMany } from '../definitions/patient-compartment.ts';
import { localReference } from '../definitions/references.ts';
import { isPlacementOpen, NOBODY_ELSE, readStoredLabels, readStoredNames } from '../labels/index.ts';
import { innerResourcesOf } from '../labels/inner-resources.ts';
import { type JsonObject, localReferencesOf, localUrlsOf } from '../labels/resource-walk.ts';
import type { RecordStore } from './record-store.ts';

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

/** What is known of a record beside what it says. */
export type PlacementHints = {
  /** Records that name it, and say whose it is where it is a Binary without a `securityContext`. */
  readonly namers?: readonly string[] | undefined;
  /** What it takes the place of. */
  readonly existing?: SealedRecord | undefined;
};

/**
 * Whose a record is: whom it says that it is about, and whose its element of links says that it is. Else, if its type speaks of
 * patients, of those whose everything is that it refers to, and of whom it names but for those who only take part. Else nobody can
 * tell: it stays of whom it was, so that no new version takes it from its patient; or it is of those who take part; or nobody's.
 * For its author alone is what nobody can tell, and something that is not there yet might.
 */
export async function placeWithLinked(
  store: Store,
  resource: Resource,
  own: Placement,
  ownBase: string,
  { namers = [], existing }: PlacementHints = {},
): Promise<LinkedPlacement> {
  const type = resource.resourceType;
  const direct = await targetsOf(store, linksOf(resource, ownBase));
  const isSettled = own.isAboutKnown || direct.placed.length > 0 || !speaksOfPatients(type);
  const { placed, isAnyMissing } = isSettled ? direct : await targetsOf(store, allLinksOf(resource, ownBase));
  const naming = isUnplacedBinary(resource) ? (await targetsOf(store, namers)).placed : [];
  const isTold = own.isAboutKnown || placed.length + naming.length + namedAlike(own).length > 0;
  const former = isTold ? [] : formerlyOf(own, existing);
  const whose = withPatientsOf(own, [...placed, ...naming, ...former]);
  const labels = [...labelsOfAll(type, placed), ...naming.flatMap((one) => labelsOfAll(type, [one]))];
  const mayBeSomebodys = speaksOfPatients(type) && (type === 'Binary' || isAnyMissing);
  return { ...whose, labels, isOpen: !isTold && mayBeSomebodys };
}

/** Whether it says nothing of whose it is, so that what names it does (R4 binary, "securityContext"). */
export function isUnplacedBinary(resource: Resource): boolean {
  return resource.resourceType === 'Binary' && resource.securityContext === undefined;
}

/** What its element of links names: `Encounter/1`. */
export function linksOf(resource: Resource, ownBase: string): string[] {
  return linksWithin(resource).map((reference) => localReference(reference, ownBase));
}

/** Everything it refers to, what it holds a copy of, and where its attachments are. The Patients among them it names itself. */
export function allLinksOf(resource: Resource, ownBase: string): string[] {
  const content = resource as unknown as JsonObject;
  const copies = innerResourcesOf(content, ownBase).flatMap(({ name }) => name ?? []);
  const urls = localUrlsOf(content, ownBase).filter((url) => isResourceType(url.split('/')[0] ?? ''));
  const links = new Set([...localReferencesOf(content, ownBase), ...copies, ...urls]);
  return [...links].filter((link) => !link.startsWith('Patient/'));
}

/** Whether a record of the type may be somebody's. */
export function speaksOfPatients(resourceType: string): boolean {
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
    const known = target !== undefined && !isPlacementOpen(target.labels) ? target : undefined;
    if (known !== undefined && patientsOf(known).length > 0) placed.push(known);
    else isAnyMissing ||= speaksOfPatients(type) && !(known !== undefined && OFTEN_NOBODYS.has(type));
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
  return patientsIn({ subject, named: readStoredNames(labels) });
}

function patientsIn({ subject, named }: Whose): string[] {
  return subject === null ? [...named.others] : [subject, ...named.others];
}

/** Patients in what does not say whom it is about, who do more than take part: the items of a List, those of an Appointment. */
function namedAlike(own: Placement): string[] {
  return own.isAboutKnown ? [] : patientsIn(own).filter((id) => !own.takingPart.includes(id));
}

/** What it takes the place of, where that was a patient's whom it does not name any more. */
function formerlyOf(own: Placement, existing: SealedRecord | undefined): SealedRecord[] {
  const isLeft = existing !== undefined && existing.subject !== null;
  return isLeft && !patientsIn(own).includes(existing.subject) ? [existing] : [];
}

function withPatientsOf(own: Placement, targets: readonly SealedRecord[]): Whose {
  if (targets.length === 0) return { subject: own.subject, named: own.named };
  const ofTargets = targets.map(placementOf);
  const alike = namedAlike(own).map((subject): Whose => ({ subject, named: NOBODY_ELSE }));
  const placements = own.isAboutKnown ? [own, ...ofTargets] : [...ofTargets, ...alike];
  const subjects = new Set(placements.flatMap(({ subject }) => subject ?? []));
  const [subject = null, ...otherSubjects] = subjects;
  const named = placements.flatMap((one) => one.named.others);
  const others = new Set([...otherSubjects, ...named, ...own.takingPart]);
  if (subject !== null) others.delete(subject);
  refuseTooMany([...others]);
  const isSubjectsOwn = subjects.size === 1 && placements.every((one) => one.named.isSubjectsOwn);
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
