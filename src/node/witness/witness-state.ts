import { chmodSync, existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AppError, equalBytes } from '../../shared/index.ts';

const BUSY = 5;
/** EXTRA flushes the folder too, so that a journal that was removed stays removed after a power loss. */
const DURABLE =
  'PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA';
const SCHEMA =
  'CREATE TABLE checkpoint (origin TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT; CREATE TABLE witness (public_key BLOB NOT NULL) STRICT;';

/** The newest checkpoint that the witness cosigned of each log, as the log signed it. */
export type WitnessState = {
  /** The signed note, or undefined when the witness never cosigned for this origin. */
  latest(origin: string): string | undefined;
  /** Durable when it returns. */
  store(origin: string, note: string): void;
  close(): void;
};

/** Makes the empty memory of a new witness. Its key is in it: an empty memory is believed of no witness that may have signed before. */
export function initWitnessState(file: string, publicKey: Uint8Array): void {
  if (existsSync(file))
    throw new AppError(
      'conflict',
      `The witness state ${file} exists, and the key that it belongs to is not beside it. Restore the key, or make another witness in a new folder.`,
    );
  const database = openFile(file);
  try {
    database.exec(DURABLE);
    database.exec(`BEGIN EXCLUSIVE; ${SCHEMA}`);
    database.prepare('INSERT INTO witness (public_key) VALUES (?)').run(publicKey);
    database.exec('COMMIT');
    chmodSync(file, 0o600);
  } finally {
    database.close();
  }
}

/**
 * Keeps the state in one SQLite file, flushed with every change and locked for this process: two witnesses with one key and two
 * memories could be led to cosign two histories. Throws `damaged` where the file is gone or is the memory of another key.
 */
export function openWitnessState(file: string, publicKey: Uint8Array): WitnessState {
  const database = openLocked(file, publicKey);
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

function openLocked(file: string, publicKey: Uint8Array): DatabaseSync {
  // SQLite would make an empty one in its place.
  if (!existsSync(file)) throw damaged(file);
  const database = openFile(file);
  try {
    database.exec(DURABLE);
    database.exec('BEGIN EXCLUSIVE; COMMIT');
    chmodSync(file, 0o600);
    const isWhole = database.prepare('PRAGMA integrity_check').get()?.integrity_check === 'ok';
    if (isWhole && isOf(database, publicKey)) return database;
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

function isOf(database: DatabaseSync, publicKey: Uint8Array): boolean {
  const rows = database.prepare('SELECT public_key FROM witness').all();
  const owner = rows.length === 1 ? rows[0]?.public_key : undefined;
  return owner instanceof Uint8Array && equalBytes(owner, publicKey);
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
    `The witness state (${what}) is damaged, or gone. Restore it as it was; a witness that forgot what it saw must not sign again with its key: without its memory, make another one, with a new key and name.`,
    { cause },
  );
}
