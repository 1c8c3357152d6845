import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { INDEX_FILE, IndexDatabase } from './index-database.ts';
import { IndexedValues } from './indexed-values.ts';
import type { StateSnapshot } from './replay.ts';
import type { StateValues } from './state-values.ts';

/** Values, and the block they are already brought up to, if any. */
export type OpenedValues = { readonly values: StateValues; readonly snapshot: StateSnapshot | undefined };

/** Opens the derived index of a ledger folder; one that cannot be read is thrown away, since the log has it all. */
export function openIndexedValues(folder: string): OpenedValues {
  try {
    return openExisting(join(folder, INDEX_FILE));
  } catch {
    discardIndex(folder);
    return openExisting(join(folder, INDEX_FILE));
  }
}

export function discardIndex(folder: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, INDEX_FILE + suffix), { force: true });
}

/** An index without a mark is empty or of another version; then it may hold nothing. */
function openExisting(path: string): OpenedValues {
  const database = new IndexDatabase(path);
  const mark = database.mark();
  if (mark === undefined) database.clear();
  database.close();
  const values = new IndexedValues(path);
  return {
    values,
    snapshot: mark === undefined ? undefined : { mark, entries: () => values.storedEntries() },
  };
}
