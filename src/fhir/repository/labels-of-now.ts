import type { RecordReader, SealedRecord } from '../../vault/index.ts';
import { isStoredName } from '../labels/index.ts';

/** A version of a record, to be decided on with the labels that the record has now beside its own. */
export async function readVersionUnderLabelsOfNow(
  reader: Pick<RecordReader, 'read' | 'readVersion'>,
  key: SealedRecord['key'],
): Promise<SealedRecord | undefined> {
  const record = await reader.readVersion(key);
  return record && underLabelsOf(await reader.read(key.resourceType, key.id), record);
}

/** The same of many. */
export async function underLabelsOfNow(
  reader: Pick<RecordReader, 'read'>,
  records: readonly SealedRecord[],
): Promise<SealedRecord[]> {
  const newest = new Map<string, Promise<SealedRecord | undefined>>();
  return Promise.all(
    records.map(async (record) => {
      const { resourceType, id } = record.key;
      const name = `${resourceType}/${id}`;
      const current = newest.get(name) ?? reader.read(resourceType, id);
      newest.set(name, current);
      return underLabelsOf(await current, record);
    }),
  );
}

/**
 * Who may not see a record since it was found to be sensitive, or was sealed, may not see what it was before either: that
 * mostly says the same.
 */
function underLabelsOf(current: SealedRecord | undefined, record: SealedRecord): SealedRecord {
  const added = (current?.labels ?? []).filter(
    (label) => !isStoredName(label) && !record.labels.includes(label),
  );
  return added.length === 0 ? record : { ...record, labels: [...record.labels, ...added] };
}
