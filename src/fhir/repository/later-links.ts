import type { Resource } from '@medplum/fhirtypes';
import {
  exactToken,
  type IndexToken,
  MAX_FIND_LIMIT,
  type RecordReader,
  type SealedRecord,
} from '../../vault/index.ts';
import { localReference } from '../definitions/references.ts';
import { readStoredWaits, toStoredNames } from '../labels/index.ts';
import { forEachObject, type JsonObject } from '../labels/resource-walk.ts';
import { labelsOfAll, patientsOf } from './linked-records.ts';

/** Not a search parameter: a `Binary/1` that the record names as its attachment, or refers to. */
const NAMED = '_binary';

/** Types of records of patients that have attachments, or point to a Binary (R4 "Attachment", "Reference(Any)"). */
const NAMING_TYPES = [
  'Bundle',
  'Claim',
  'Communication',
  'CommunicationRequest',
  'Composition',
  'Consent',
  'Contract',
  'DiagnosticReport',
  'DocumentManifest',
  'DocumentReference',
  'ExplanationOfBenefit',
  'List',
  'Media',
  'Observation',
  'Patient',
  'Person',
  'QuestionnaireResponse',
  'RelatedPerson',
  'Task',
];

/** What a Binary is found by when somebody asks whose it is. */
export function tokensOfNamedBinaries(resource: Resource, ownBase: string): IndexToken[] {
  const named = new Set<string>();
  if (NAMING_TYPES.includes(resource.resourceType))
    forEachObject(resource as unknown as JsonObject, ({ url, reference }) => {
      for (const text of [url, reference]) {
        const name = typeof text === 'string' ? localReference(text, ownBase) : '';
        if (name.startsWith('Binary/')) named.add(name);
      }
    });
  return [...named].map((name) => exactToken(NAMED, 'reference', name));
}

type Reader = Pick<RecordReader, 'read' | 'find'>;

/** The same of many. */
export async function underAllLaterLinks(
  reader: Reader,
  records: readonly SealedRecord[],
): Promise<SealedRecord[]> {
  if (!records.some(mayHaveLaterLinks)) return [...records];
  return Promise.all(records.map((record) => underLaterLinks(reader, record)));
}

/**
 * A record under the patients, too, of what was linked to it after it was written: the records that it waits for, and those that
 * name it where it is a Binary without a `securityContext`. They are asked beside whoever is asked already, so that a document
 * which somebody else writes opens nothing.
 */
export async function underLaterLinks(
  reader: Reader,
  record: SealedRecord,
  seen = new Set<string>(),
): Promise<SealedRecord> {
  if (!mayHaveLaterLinks(record)) return record;
  const awaited = await awaitedBy(reader, record, seen);
  const naming = isUnplacedBinary(record) ? await namingBinary(reader, record.key.id) : [];
  const asked = patientsOf(record);
  const others = new Set([...awaited, ...naming].flatMap(patientsOf).filter((id) => !asked.includes(id)));
  if (others.size === 0) return record;
  const marks = toStoredNames({ others: [...others].sort(), isSubjectsOwn: false });
  const ofAwaited = record.subject === null ? labelsOfAll(record.key.resourceType, awaited) : [];
  const ofNaming = naming.flatMap((one) => labelsOfAll('Binary', [one]));
  return { ...record, labels: [...new Set([...record.labels, ...ofAwaited, ...ofNaming, ...marks])] };
}

/** Each record once, so that records which wait for each other end. */
async function awaitedBy(
  reader: Reader,
  { labels }: SealedRecord,
  seen: Set<string>,
): Promise<SealedRecord[]> {
  const awaited: SealedRecord[] = [];
  for (const reference of readStoredWaits(labels)) {
    if (seen.has(reference)) continue;
    seen.add(reference);
    const [type = '', id = ''] = reference.split('/');
    const found = await reader.read(type, id);
    const one = found && (await underLaterLinks(reader, found, seen));
    if (one !== undefined && patientsOf(one).length > 0) awaited.push(one);
  }
  return awaited;
}

function namingBinary(reader: Reader, id: string): Promise<SealedRecord[]> {
  const where = { token: exactToken(NAMED, 'reference', `Binary/${id}`) };
  return reader.find({ types: NAMING_TYPES, where, limit: MAX_FIND_LIMIT });
}

function mayHaveLaterLinks(record: SealedRecord): boolean {
  return isUnplacedBinary(record) || readStoredWaits(record.labels).length > 0;
}

function isUnplacedBinary({ key, subject }: SealedRecord): boolean {
  return key.resourceType === 'Binary' && subject === null;
}
