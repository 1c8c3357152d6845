import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../shared/index.ts';
import { INDEX_FILE, IndexDatabase } from './index-database.ts';
import { IndexedValues } from './indexed-values.ts';
import type { StateSnapshot } from './replay.ts';
import type { StateValues } from './state-values.ts';

const SQLITE_FULL = 13;

/** Values, and the block they are already brought up to, if any. */
export type OpenedValues = { readonly values: StateValues; readonly snapshot: StateSnapshot | undefined };

/** Opens the derived index of a ledger folder; one that cannot be read is thrown away, since the log has it all. */
export function openIndexedValues(folder: string): OpenedValues {
  try {
    return openExisting(join(folder, INDEX_FILE));
  } catch {
    discardIndex(folder);
    return openFresh(join(folder, INDEX_FILE));
  }
}

function openFresh(path: string): OpenedValues {
  try {
    return openExisting(path);
  } catch (cause) {
    const isFull = cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_FULL;
    throw new AppError(
      isFull ? 'disk-full' : 'storage-failed',
      `Could not create ${path}. Check the space and the disk.`,
      { cause },
    );
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
