import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../../shared/index.ts';

const BUSY = 5;

/** The newest checkpoint that the witness cosigned of each log, as the log signed it. */
export type WitnessState = {
  /** The signed note, or undefined when the witness never cosigned for this origin. */
  latest(origin: string): string | undefined;
  /** Durable when it returns. */
  store(origin: string, note: string): void;
  close(): void;
};

/**
 * Keeps the state in one SQLite file, flushed with every change and locked for this process: two witnesses with one key and two
 * memories could be led to cosign two histories.
 */
export function openWitnessState(file: string): WitnessState {
  const database = openLocked(file);
  const select = database.prepare('SELECT note FROM checkpoint WHERE origin = ?');
  const upsert = database.prepare(
    'INSERT INTO checkpoint (origin, note) VALUES (?, ?) ON CONFLICT (origin) DO UPDATE SET note = excluded.note',
  );
  return {
    latest(origin) {
      const note = select.get(origin)?.note;
      return typeof note === 'string' ? note : undefined;
    },
    store: (origin, note) => void upsert.run(origin, note),
    close: () => database.close(),
  };
}

function openLocked(file: string): DatabaseSync {
  const database = openFile(file);
  try {
    // EXTRA flushes the folder too, so that a journal that was removed stays removed after a power loss.
    database.exec(
      'PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA',
    );
    database.exec(
      'BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS checkpoint (origin TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT; COMMIT',
    );
    chmodSync(file, 0o600);
    if (database.prepare('PRAGMA integrity_check').get()?.integrity_check === 'ok') return database;
    throw damaged(file);
  } catch (cause) {
    database.close();
    if (cause instanceof AppError) throw cause;
    throw (cause as { errcode?: number }).errcode === BUSY
      ? new AppError(
          'folder-in-use',
          `The witness state ${file} is in use by another process. Stop that one first.`,
          { cause },
        )
      : damaged(file, cause);
  }
}

function openFile(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file);
  } catch (cause) {
    throw new AppError(
      'file-failed',
      `The witness state ${file} cannot be opened. Check that its folder exists and can be written.`,
      { cause },
    );
  }
}

export function damaged(what: string, cause?: unknown): AppError {
  return new AppError(
    'damaged',
    `The witness state (${what}) is damaged. Restore it; a witness that forgot what it saw must not sign again under its name.`,
    { cause },
  );
}
