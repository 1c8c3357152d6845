import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { StateWrite } from '../ledger/index.ts';
import { AppError, concatBytes, equalBytes, sha256Concat } from '../shared/index.ts';
import { type IndexMark, unpackMark, unpackWrites } from './state-batch.ts';

export const INDEX_FILE = 'index.db';
/** Changes when the tables do; an index of another version is built anew. */
const VERSION = 1;
const CHECK_BYTES = 8;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS mark (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER, height INTEGER, frame_hash BLOB);
`;

/** The derived index of state values. Nothing in it is believed until it matches the log, so it need not be synced. */
export class IndexDatabase {
  readonly #database: DatabaseSync;
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;
  readonly #setMark: StatementSync;

  constructor(path: string, readOnly = false) {
    this.#database = new DatabaseSync(path, { readOnly });
    this.#database.exec('PRAGMA busy_timeout = 5000; PRAGMA cache_size = -8192');
    if (!readOnly) {
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
      this.#database.exec(SCHEMA);
    }
    this.#select = this.#database.prepare('SELECT value FROM state WHERE key = ?');
    this.#upsert = this.#database.prepare(
      'INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
    this.#delete = this.#database.prepare('DELETE FROM state WHERE key = ?');
    this.#setMark = this.#database.prepare('INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?)');
  }

  /** The block the index was brought up to, when it was written by this version. */
  mark(): IndexMark | undefined {
    const row = this.#database.prepare('SELECT version, height, frame_hash FROM mark WHERE id = 1').get();
    if (row === undefined || row.version !== VERSION) return undefined;
    const { height, frame_hash: frameHash } = row;
    return typeof height === 'number' && frameHash instanceof Uint8Array ? { height, frameHash } : undefined;
  }

  /** Whether SQLite finds its own structure whole. */
  isIntact(): boolean {
    return this.#database.prepare('PRAGMA integrity_check(1)').get()?.integrity_check === 'ok';
  }

  clear(): void {
    this.#database.exec('DELETE FROM state; DELETE FROM mark');
  }

  /** Throws AppError `damaged` for a value that is not the one that was stored. */
  get(key: Uint8Array): Uint8Array | undefined {
    const stored = this.#select.get(key)?.value;
    return stored instanceof Uint8Array ? unsealed(key, stored) : undefined;
  }

  /** Every key with its value, in key order. */
  *entries(): Generator<[Uint8Array, Uint8Array]> {
    for (const row of this.#database.prepare('SELECT key, value FROM state ORDER BY key').iterate()) {
      if (row.key instanceof Uint8Array && row.value instanceof Uint8Array)
        yield [row.key, unsealed(row.key, row.value)];
    }
  }

  /** Applies a packed batch and its mark in one SQLite transaction. */
  apply(batch: Uint8Array): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const write of unpackWrites(batch)) this.#write(write);
      const { height, frameHash } = unpackMark(batch);
      this.#setMark.run(VERSION, height, frameHash);
      this.#database.exec('COMMIT');
    } catch (cause) {
      this.#database.exec('ROLLBACK');
      throw cause;
    }
  }

  #write([key, value]: StateWrite): void {
    if (value === undefined) this.#delete.run(key);
    else this.#upsert.run(key, sealed(key, value));
  }

  close(): void {
    this.#database.close();
  }
}

/** A value with a check behind it, for what happens to the disk after a start has compared everything with the log. */
function sealed(key: Uint8Array, value: Uint8Array): Uint8Array {
  return concatBytes(value, checkOf(key, value));
}

function unsealed(key: Uint8Array, stored: Uint8Array): Uint8Array {
  const value = stored.subarray(0, Math.max(0, stored.length - CHECK_BYTES));
  if (equalBytes(stored.subarray(value.length), checkOf(key, value))) return value;
  throw new AppError('damaged', `${INDEX_FILE} is damaged. Restart the node: it is built anew from the log.`);
}

function checkOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  return sha256Concat(key, value).subarray(0, CHECK_BYTES);
}
