import type { HistoryQuery, RecordReader, SealedRecord } from '../../vault/index.ts';
import { isPlacementOpen, isStoredMark, OPEN_PLACEMENT, toStoredNames } from '../labels/index.ts';
import { patientsOf } from './linked-records.ts';

const PAGE = 100;
type Reader = Pick<RecordReader, 'read' | 'history'>;

/** A version of a record, to be decided on with the labels that the record has now beside its own. */
export async function readVersionUnderLabelsOfNow(
  reader: Reader & Pick<RecordReader, 'readVersion'>,
  key: SealedRecord['key'],
): Promise<SealedRecord | undefined> {
  const record = await reader.readVersion(key);
  return record && underLabelsOf(await newestAbout(reader, record), record);
}

/** The same of many. */
export async function underLabelsOfNow(
  reader: Reader,
  records: readonly SealedRecord[],
): Promise<SealedRecord[]> {
  const newest = new Map<string, Promise<SealedRecord | undefined>>();
  return Promise.all(
    records.map(async (record) => {
      const { resourceType, id } = record.key;
      const name = JSON.stringify([resourceType, id, record.subject, isUntold(record)]);
      const current = newest.get(name) ?? newestAbout(reader, record);
      newest.set(name, current);
      return underLabelsOf(await current, record);
    }),
  );
}

/** Of a version that was nobody's, or its author's alone, nobody could tell whose it is. */
const isUntold = ({ subject, labels }: SealedRecord): boolean => subject === null || isPlacementOpen(labels);

/**
 * The newest version about the same patient: who moves a record to another patient says nothing about what it was before. What
 * was nobody's is under what its record is now. The version itself is in the history, so that this ends there.
 */
async function newestAbout(reader: Reader, record: SealedRecord): Promise<SealedRecord | undefined> {
  const { resourceType, id } = record.key;
  const { subject } = record;
  const current = await reader.read(resourceType, id);
  if (current === undefined || isUntold(record) || current.subject === subject) return current;
  for (let after: HistoryQuery['after']; ; ) {
    const versions = await reader.history({ resourceType, id, limit: PAGE, ...(after && { after }) });
    const found = versions.find((version) => version.subject === subject);
    if (found !== undefined) return found;
    const last = versions.at(-1);
    if (last === undefined) return current;
    after = { lastUpdatedMs: last.lastUpdatedMs, id, version: last.key.version };
  }
}

/**
 * Who may not see a record since it was found to be sensitive, or was sealed, may not see what it was before either: that
 * mostly says the same.
 */
function underLabelsOf(current: SealedRecord | undefined, record: SealedRecord): SealedRecord {
  const labels = (current?.labels ?? []).filter((label) => !isStoredMark(label));
  const marks = isUntold(record) ? marksOfNow(current, record.subject) : [];
  const added = [...labels, ...marks].filter((label) => !record.labels.includes(label));
  return added.length === 0 ? record : { ...record, labels: [...record.labels, ...added] };
}

/**
 * A version that was nobody's is asked of the patients of what it has become, and stays with its author where that does, or was
 * erased: nobody can tell any more whom to ask.
 */
function marksOfNow(current: SealedRecord | undefined, subject: string | null): string[] {
  if (current === undefined) return [OPEN_PLACEMENT];
  const others = patientsOf(current).filter((id) => id !== subject);
  const names = toStoredNames({ others, isSubjectsOwn: false });
  return isPlacementOpen(current.labels) ? [...names, OPEN_PLACEMENT] : names;
}
