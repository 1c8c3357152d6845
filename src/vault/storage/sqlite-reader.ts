import { DatabaseSync } from 'node:sqlite';
import type { SqlReader } from './sql-store.ts';
import { sqliteError } from './sqlite-error.ts';
import { allRows, preparing } from './sqlite-statements.ts';

/** A reader waits only while the log is cut and begun anew. */
const WRITER_TIMEOUT_MS = 2000;

export function openReader(path: string): DatabaseSync {
  return guarded(path, () => new DatabaseSync(path, { readOnly: true, timeout: WRITER_TIMEOUT_MS }));
}

/** A connection of this thread, opened for reading. */
export function readingSession(database: DatabaseSync, path: string): SqlReader {
  const prepare = preparing(database);
  return {
    all: async (sql, parameters = []) => guarded(path, () => allRows(prepare(sql), parameters)),
  };
}

/** Runs it; what SQLite throws becomes an AppError. */
function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw sqliteError(path, cause);
  }
}
