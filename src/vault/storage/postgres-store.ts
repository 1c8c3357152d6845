import pg from 'pg';
import { AppError } from '../../shared/index.ts';
import { POSTGRES_SCHEMA } from './schema.ts';
import { insertStatement, type SqlRow, type SqlSession, type SqlStore, type SqlValue } from './sql-store.ts';
import { type IndexedRecord, splitTokens, TOKEN_COLUMNS } from './token-rows.ts';
import { createWriteLock } from './write-lock.ts';

const INT8_OID = 20;
const POOL_SIZE = 8;
/** Rows in one statement: many for few round trips, few sizes for few statements. */
const INSERTED_AT_ONCE = [128, 16, 1];
const CONNECT_TIMEOUT_MS = 10_000;
/** One vault, one node: the lock is held by a connection of its own and ends with it. */
const LOCK_NUMBER = 0x0ca1_ed6e;
const TABLES = ['keyring', 'category_keys', 'grants', 'records', 'tokens', 'entries'];

const integers = { getTypeParser: typeParser } as pg.CustomTypesConfig;

/** Opens a vault in a PostgreSQL database that is its own; makes the tables. */
export async function openPostgresStore(url: string): Promise<SqlStore> {
  const pool = new pg.Pool({
    connectionString: url,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types: integers,
  });
  // A connection that breaks while idle is replaced on next use; its error must not end the process.
  pool.on('error', () => undefined);
  const lock = await guarded(() => pool.connect());
  lock.on('error', () => undefined);
  try {
    await prepareDatabase(lock);
  } catch (cause) {
    lock.release(true);
    await pool.end();
    throw cause;
  }
  const inTurn = createWriteLock();
  return {
    dialect: 'postgres',
    reader: sessionOn(pool),
    write: (work, committed) =>
      inTurn(async () => {
        const result = await inTransaction(pool, 'BEGIN', work);
        committed?.();
        return result;
      }),
    snapshot: (work) => inTransaction(pool, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', work),
    scrub: () => inTurn(() => scrub(pool)),
    integrity: async () => [],
    close: () =>
      inTurn(async () => {
        lock.release(true);
        await pool.end();
      }),
  };
}

async function prepareDatabase(client: pg.PoolClient): Promise<void> {
  const session = sessionOn(client);
  const [row] = await session.all('SELECT pg_try_advisory_lock(?::bigint) AS held', [LOCK_NUMBER]);
  if (!row?.held)
    throw new AppError('folder-in-use', 'Another node has this PostgreSQL vault open. Stop it first.');
  for (const statement of POSTGRES_SCHEMA) await session.run(statement);
}

function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8_OID && format !== 'binary') return Number;
  return pg.types.getTypeParser(oid, format ?? 'text') as (value: string) => unknown;
}

function sessionOn(client: pg.Pool | pg.PoolClient): SqlSession {
  const query = (sql: string, parameters: readonly SqlValue[] = []) =>
    guarded(() => client.query(numbered(sql), parameters as SqlValue[]));
  const insert: SqlSession['insert'] = async (table, columns, rows) => {
    let at = 0;
    for (const size of INSERTED_AT_ONCE)
      for (; rows.length - at >= size; at += size)
        await query(insertStatement(table, columns, size), rows.slice(at, at + size).flat());
  };
  return {
    all: async (sql, parameters) => (await query(sql, parameters)).rows as SqlRow[],
    run: async (sql, parameters) => (await query(sql, parameters)).rowCount ?? 0,
    runEach: async (sql, lists) => {
      for (const list of lists) await query(sql, list);
    },
    insert,
    index: (records) => insert('tokens', TOKEN_COLUMNS, records.flatMap(tokenRows)),
  };
}

function tokenRows({ rid, tokens }: IndexedRecord): SqlValue[][] {
  return splitTokens(tokens).map((token) => [token, rid]);
}

async function inTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const client = await guarded(() => pool.connect());
  let broken = false;
  try {
    await guarded(() => client.query(begin));
    const result = await work(sessionOn(client));
    await guarded(() => client.query('COMMIT'));
    return result;
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => {
      broken = true;
    });
    throw cause;
  } finally {
    client.release(broken);
  }
}

async function scrub(pool: pg.Pool): Promise<void> {
  for (const table of TABLES) await guarded(() => pool.query(`VACUUM ${table}`));
}

const numberedStatements = new Map<string, string>();

/** `?` to `$1`, `$2` …; no statement of ours has a question mark in a literal. */
function numbered(sql: string): string {
  let known = numberedStatements.get(sql);
  if (known === undefined) {
    let count = 0;
    known = sql.replace(/\?/g, () => `$${++count}`);
    if (numberedStatements.size > 1000) numberedStatements.clear();
    numberedStatements.set(sql, known);
  }
  return known;
}

async function guarded<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw postgresError(cause);
  }
}

function postgresError(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const code = String((cause as { code?: unknown } | undefined)?.code ?? '');
  if (code === '23505')
    return new AppError('conflict', 'Something else was written there first. Read it again, then retry.', {
      cause,
    });
  if (code === '53100')
    return new AppError('disk-full', 'PostgreSQL has no space left. Free some, then try again.', { cause });
  if (code === 'XX001' || code === 'XX002')
    return new AppError('damaged', 'PostgreSQL reports damaged data. Restore the last backup.', { cause });
  if (code.startsWith('28') || code === '3D000') {
    return new AppError(
      'unavailable',
      'PostgreSQL refused the connection. Check user, password and database in --vault.',
      { cause },
    );
  }
  if (code.startsWith('E') || code.startsWith('08') || code.startsWith('57') || code === '') {
    return new AppError(
      'unavailable',
      'PostgreSQL cannot be reached. Check that it runs and the address in --vault.',
      { cause },
    );
  }
  return new AppError(
    'storage-failed',
    'PostgreSQL refused a statement. See its log, then restart the node.',
    { cause },
  );
}
