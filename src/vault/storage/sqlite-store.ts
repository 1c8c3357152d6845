import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../../shared/index.ts';
import { fileError } from '../keys/replace-file.ts';
import type { SqlReader, SqlSession, SqlStore } from './sql-store.ts';
import { isBusy, isSqliteError, sqliteError } from './sqlite-error.ts';
import { checkIntegrity } from './sqlite-integrity.ts';
import { allRows, preparing } from './sqlite-statements.ts';
import { openSqliteWriter, type SqliteWriter } from './sqlite-writer.ts';
import { createWalSync, type WalSync } from './wal-sync.ts';
import { createWriteLock } from './write-lock.ts';

/** Above this size a full rewrite after an erasure would stop the node for long; secure_delete alone must do there. */
const VACUUM_LIMIT_BYTES = 256 * 1024 * 1024;

/** A reader waits only while the log is cut and begun anew. */
const WRITER_TIMEOUT_MS = 2000;

/** Opens or makes a database file. Two processes cannot have it open at once. */
export async function openSqliteStore(path: string): Promise<SqlStore> {
  const lock = lockFile(path);
  const writer = await openSqliteWriter(path).catch((cause: unknown) => {
    lock.close();
    throw cause;
  });
  const readerDatabase = openReader(path);
  const inTurn = createWriteLock();
  const walSync = createWalSync(path);
  const snapshots = new Set<Snapshot>();
  const checks = new Set<Promise<unknown>>();
  let scrubbing: Promise<unknown> = Promise.resolve();
  // What reads an old moment keeps its pages in the log. Writers do not wait for its end.
  const lastReaders = async (): Promise<void> => {
    for (const snapshot of snapshots) snapshot.end();
    await Promise.allSettled(checks);
  };
  /** Another erasure may begin while one is waited for: it would find no reader to end, and one that begins after it. */
  const untilScrubbed = async (): Promise<void> => {
    for (let awaited: unknown; awaited !== scrubbing; ) {
      awaited = scrubbing;
      await awaited;
    }
  };
  return {
    dialect: 'sqlite',
    reader: committedSession(readingSession(readerDatabase, path), walSync),
    write: (work, committed) =>
      inTurn(async () => {
        const result = await inTransaction(writer, work, walSync);
        committed?.();
        return result;
      }),
    snapshot: async (work) => {
      await untilScrubbed();
      const snapshot = openSnapshot(path);
      snapshots.add(snapshot);
      return durably(work(snapshot.session), walSync).finally(() => {
        snapshots.delete(snapshot);
        snapshot.end();
      });
    },
    scrub: () => {
      const scrubbed = lastReaders().then(() => inTurn(() => scrub(writer, path)));
      scrubbing = scrubbed.catch(() => undefined);
      return scrubbed;
    },
    integrity: async () => {
      await untilScrubbed();
      const checking = checkIntegrity(path);
      checks.add(checking);
      return checking.finally(() => checks.delete(checking));
    },
    close: async (seal) => {
      await lastReaders();
      await inTurn(async () => {
        readerDatabase.close();
        await walSync.close();
        await writer.all('PRAGMA wal_checkpoint(TRUNCATE)');
        await writer.close();
        await seal?.(path);
        lock.close();
      });
    },
  };
}

/** Reads what is committed, and tells it when it is on the disk. */
function committedSession(session: SqlReader, walSync: WalSync): SqlReader {
  return { all: (sql, parameters) => durably(session.all(sql, parameters), walSync) };
}

/** What was read may have been committed a moment ago: nobody hears of it before it is on the disk. */
async function durably<T>(reading: Promise<T>, walSync: WalSync): Promise<T> {
  const read = await reading;
  await walSync.settled();
  return read;
}

/** A connection that sees one moment of the database, until it is ended. */
type Snapshot = { readonly session: SqlReader; end(): void };

function openSnapshot(path: string): Snapshot {
  const database = openReader(path);
  opened(path, () => database.exec('BEGIN'));
  const session = readingSession(database, path);
  return {
    session: {
      all: async (sql, parameters) => {
        if (!database.isOpen)
          throw new AppError(
            'conflict',
            'An erasure came while what the vault had before it was read. Start again what read it.',
          );
        return session.all(sql, parameters);
      },
    },
    end: () => {
      if (database.isOpen) database.close();
    },
  };
}

/** A lock that the kernel lets go of when the process dies: an open exclusive transaction on a file beside. */
function lockFile(path: string): DatabaseSync {
  try {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const lock = new DatabaseSync(`${path}.lock`);
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    if (isBusy(cause)) {
      throw new AppError('folder-in-use', `Another process has the vault ${path} open. Stop it first.`, {
        cause,
      });
    }
    throw isSqliteError(cause) ? sqliteError(path, cause) : fileError(path, cause);
  }
}

function openReader(path: string): DatabaseSync {
  return opened(path, () => new DatabaseSync(path, { readOnly: true, timeout: WRITER_TIMEOUT_MS }));
}

function opened<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw sqliteError(path, cause);
  }
}

/** A connection of this thread, opened for reading. */
function readingSession(database: DatabaseSync, path: string): SqlReader {
  const prepare = preparing(database);
  return {
    all: async (sql, parameters = []) => opened(path, () => allRows(prepare(sql), parameters)),
  };
}

/** In the transaction of the one writer: what `work` throws rolls back. */
async function inTransaction<T>(
  writer: SqliteWriter,
  work: (session: SqlSession) => Promise<T>,
  walSync: WalSync,
): Promise<T> {
  const transaction = writer.begin();
  try {
    const result = await work(transaction.session);
    await walSync.flush(transaction.commit);
    return result;
  } catch (cause) {
    await transaction.rollback();
    throw cause;
  }
}

async function scrub(writer: SqliteWriter, path: string): Promise<void> {
  await writer.all('PRAGMA wal_checkpoint(TRUNCATE)');
  if (statSync(path).size <= VACUUM_LIMIT_BYTES) await writer.all('VACUUM');
  // The log keeps what it held until it is cut to nothing.
  const [outcome] = await writer.all('PRAGMA wal_checkpoint(TRUNCATE)');
  if (outcome?.busy !== 0)
    throw new AppError(
      'busy',
      `${path}-wal is in use and could not be cut. Restart the node: it will finish the erasure.`,
    );
}
