import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { AppError } from '../../shared/index.ts';
import { fileError } from '../keys/replace-file.ts';
import { SQLITE_SCHEMA } from './schema.ts';
import { insertStatement, type SqlRow, type SqlSession, type SqlStore, type SqlValue } from './sql-store.ts';
import { createWalSync, type WalSync } from './wal-sync.ts';
import { createWriteLock } from './write-lock.ts';

const MAX_STATEMENTS = 500;
/** Above this size a full rewrite after an erasure would stop the node for long; secure_delete alone must do there. */
const VACUUM_LIMIT_BYTES = 256 * 1024 * 1024;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

/** Opens or makes a database file. Two processes cannot have it open at once. */
export function openSqliteStore(path: string): SqlStore {
  const lock = lockFile(path);
  const writer = opened(path, () => openWriter(path));
  const readerDatabase = opened(path, () => new DatabaseSync(path, { readOnly: true }));
  const writeSession = sessionOn(writer, path);
  const inTurn = createWriteLock();
  const walSync = createWalSync(path);
  const snapshots = new Set<Promise<unknown>>();
  return {
    dialect: 'sqlite',
    reader: committedSession(writer, writeSession, sessionOn(readerDatabase, path), walSync),
    write: (work, committed) =>
      inTurn(async () => {
        const result = await inTransaction(writer, writeSession, path, 'BEGIN IMMEDIATE', work, walSync);
        committed?.();
        return result;
      }),
    snapshot: async (work) => {
      const reading = durably(readSnapshot(path, work), walSync);
      snapshots.add(reading);
      return reading.finally(() => snapshots.delete(reading));
    },
    scrub: () =>
      inTurn(async () => {
        // A reader of an old moment keeps its pages in the log.
        await Promise.allSettled(snapshots);
        scrub(writer, path);
      }),
    integrity: async () => integrity(readerDatabase, path),
    close: (seal) =>
      inTurn(async () => {
        readerDatabase.close();
        await walSync.close();
        writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        writer.close();
        await seal?.(path);
        lock.close();
      }),
  };
}

/**
 * Reads through the writer's connection while it is in no transaction: its page cache survives its own writes. Inside
 * one, a second connection sees only what was committed.
 */
function committedSession(
  writer: DatabaseSync,
  idle: SqlSession,
  busy: SqlSession,
  walSync: WalSync,
): SqlSession {
  return {
    all: (sql, parameters) =>
      durably((writer.isOpen && writer.isTransaction ? busy : idle).all(sql, parameters), walSync),
    run: (sql, parameters) => busy.run(sql, parameters),
    insert: (table, columns, rows) => busy.insert(table, columns, rows),
  };
}

/** What was read may have been committed a moment ago: nobody hears of it before it is on the disk. */
async function durably<T>(reading: Promise<T>, walSync: WalSync): Promise<T> {
  const read = await reading;
  await walSync.settled();
  return read;
}

async function readSnapshot<T>(path: string, work: (session: SqlSession) => Promise<T>): Promise<T> {
  const database = opened(path, () => new DatabaseSync(path, { readOnly: true }));
  try {
    return await inTransaction(database, sessionOn(database, path), path, 'BEGIN', work);
  } finally {
    database.close();
  }
}

/** A lock that the kernel lets go of when the process dies: an open exclusive transaction on a file beside. */
function lockFile(path: string): DatabaseSync {
  try {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const lock = new DatabaseSync(`${path}.lock`);
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    if (errorNumber(cause) === SQLITE_BUSY) {
      throw new AppError('folder-in-use', `Another process has the vault ${path} open. Stop it first.`, {
        cause,
      });
    }
    throw (cause as { code?: string }).code === 'ERR_SQLITE_ERROR'
      ? sqliteError(path, cause)
      : fileError(path, cause);
  }
}

function openWriter(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 12000; PRAGMA journal_size_limit = 67108864; PRAGMA cell_size_check = ON`);
  for (const statement of SQLITE_SCHEMA) database.exec(statement);
  return database;
}

function opened<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw sqliteError(path, cause);
  }
}

function sessionOn(database: DatabaseSync, path: string): SqlSession {
  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      if (statements.size >= MAX_STATEMENTS) statements.clear();
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  const guarded = <T>(action: () => T): T => {
    try {
      return action();
    } catch (cause) {
      throw sqliteError(path, cause);
    }
  };
  return {
    all: async (sql, parameters = []) =>
      guarded(() => prepare(sql).all(...(parameters as SqlValue[])) as SqlRow[]),
    run: async (sql, parameters = []) =>
      guarded(() => Number(prepare(sql).run(...(parameters as SqlValue[])).changes)),
    // A row at a time: SQLite takes longer over a statement with many rows.
    insert: async (table, columns, rows) =>
      guarded(() => {
        const statement = prepare(insertStatement(table, columns, 1));
        for (const row of rows) statement.run(...row);
      }),
  };
}

async function inTransaction<T>(
  database: DatabaseSync,
  session: SqlSession,
  path: string,
  begin: string,
  work: (session: SqlSession) => Promise<T>,
  walSync?: WalSync,
): Promise<T> {
  opened(path, () => database.exec(begin));
  try {
    const result = await work(session);
    database.exec('COMMIT');
    // In the same step as the commit: nobody reads between the two.
    await walSync?.flush();
    return result;
  } catch (cause) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw isSqliteError(cause) ? sqliteError(path, cause) : cause;
  }
}

function scrub(writer: DatabaseSync, path: string): void {
  try {
    writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    if (statSync(path).size <= VACUUM_LIMIT_BYTES) writer.exec('VACUUM');
    // The log keeps what it held until it is cut to nothing.
    const outcome = writer.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    if (outcome?.busy !== 0)
      throw new AppError(
        'busy',
        `${path}-wal is in use and could not be cut. Restart the node: it will finish the erasure.`,
      );
  } catch (cause) {
    throw sqliteError(path, cause);
  }
}

function integrity(database: DatabaseSync, path: string): string[] {
  try {
    const rows = database.prepare('PRAGMA integrity_check').all();
    return rows.map((row) => String(row.integrity_check)).filter((line) => line !== 'ok');
  } catch (cause) {
    return [sqliteError(path, cause).message];
  }
}

function isSqliteError(cause: unknown): boolean {
  const { code } = (cause ?? {}) as { code?: unknown };
  return code === 'ERR_SQLITE_ERROR' || code === 'ERR_INVALID_STATE';
}

function errorNumber(cause: unknown): number {
  return Number((cause as { errcode?: unknown } | undefined)?.errcode ?? 0) & 0xff;
}

function sqliteError(path: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  if ((cause as { code?: unknown }).code === 'ERR_INVALID_STATE')
    return new AppError('closed', 'The vault is closed.', { cause });
  switch (errorNumber(cause)) {
    case SQLITE_FULL:
      return new AppError(
        'disk-full',
        `No space is left for ${path}. Free some, then try again; nothing acknowledged was lost.`,
        { cause },
      );
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return new AppError(
        'folder-not-writable',
        `${path} cannot be opened for writing. Check its folder, owner and permissions.`,
        { cause },
      );
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new AppError(
        'damaged',
        `The database ${path} is damaged. Run the audit, and restore the last backup to a new folder.`,
        { cause },
      );
    case SQLITE_BUSY:
      return new AppError('busy', `The database ${path} is busy. Try again.`, { cause });
    case SQLITE_CONSTRAINT:
      return new AppError('conflict', 'Something else was written there first. Read it again, then retry.', {
        cause,
      });
    default:
      return new AppError(
        'storage-failed',
        `The database ${path} failed. Check the disk, then restart the node.`,
        { cause },
      );
  }
}
