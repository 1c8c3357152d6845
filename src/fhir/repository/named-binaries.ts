import type { Resource } from '@medplum/fhirtypes';
import {
  exactToken,
  type IndexToken,
  MAX_FIND_LIMIT,
  type RecordReader,
  type SealedRecord,
} from '../../vault/index.ts';
import { localReference } from '../definitions/references.ts';
import { readStoredLabels, readStoredNames, toStoredNames } from '../labels/index.ts';
import { forEachObject, type JsonObject } from '../labels/resource-walk.ts';

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

/**
 * A Binary without a `securityContext` says nothing of whose it is; a document that names it as its attachment does, before or
 * after it is stored. The patients of all that name it are asked beside the rule for what is nobody's, so that a document which
 * somebody else writes opens nothing, and it is as sensitive as any of them.
 */
export async function underWhatNamesThem(
  reader: Pick<RecordReader, 'find'>,
  records: readonly SealedRecord[],
): Promise<SealedRecord[]> {
  if (!records.some(isUnplaced)) return [...records];
  return Promise.all(records.map((record) => underWhatNamesIt(reader, record)));
}

export async function underWhatNamesIt(
  reader: Pick<RecordReader, 'find'>,
  record: SealedRecord,
): Promise<SealedRecord> {
  if (!isUnplaced(record)) return record;
  const found = await reader.find({
    types: NAMING_TYPES,
    where: { token: exactToken(NAMED, 'reference', `Binary/${record.key.id}`) },
    limit: MAX_FIND_LIMIT,
  });
  return found.length === 0 ? record : { ...record, labels: labelsUnder(record, found) };
}

function isUnplaced({ key, subject }: SealedRecord): boolean {
  return key.resourceType === 'Binary' && subject === null;
}

function labelsUnder({ labels }: SealedRecord, naming: readonly SealedRecord[]): string[] {
  const others = new Set<string>();
  const added = new Set(labels);
  for (const one of naming) {
    for (const id of [one.subject, ...readStoredNames(one.labels).others]) if (id !== null) others.add(id);
    const { own, parts } = readStoredLabels(one.labels);
    for (const label of [...own, ...parts]) added.add(label);
  }
  const marks = toStoredNames({ others: [...others].sort(), isSubjectsOwn: false });
  return [...new Set([...added, ...marks])];
}
