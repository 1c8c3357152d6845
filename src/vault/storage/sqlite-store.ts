import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../../shared/index.ts';
import { fileError } from '../keys/replace-file.ts';
import type { SqlReader, SqlSession, SqlStore } from './sql-store.ts';
import { isBusy, isSqliteError, sqliteError } from './sqlite-error.ts';
import { createOlderReaders } from './sqlite-older-readers.ts';
import { openReader, readingSession } from './sqlite-reader.ts';
import { openSqliteWriter, type SqliteWriter } from './sqlite-writer.ts';
import { createWalSync, type WalSync } from './wal-sync.ts';
import { createWriteLock } from './write-lock.ts';

/** Above this size a full rewrite after an erasure would stop the node for long; secure_delete alone must do there. */
const VACUUM_LIMIT_BYTES = 256 * 1024 * 1024;

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
  const olderReaders = createOlderReaders(path);
  return {
    dialect: 'sqlite',
    reader: committedSession(readingSession(readerDatabase, path), walSync),
    write: (work, committed) =>
      inTurn(async () => {
        const result = await inTransaction(writer, work, walSync);
        committed?.();
        return result;
      }),
    snapshot: (work) => durably(olderReaders.snapshot(work), walSync),
    scrub: () => olderReaders.endedFor(() => inTurn(() => scrub(writer, path))),
    integrity: () => olderReaders.check(),
    close: (seal) =>
      olderReaders.endedFor(() =>
        inTurn(async () => {
          readerDatabase.close();
          await walSync.close();
          await writer.all('PRAGMA wal_checkpoint(TRUNCATE)');
          await writer.close();
          await seal?.(path);
          lock.close();
        }),
      ),
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
