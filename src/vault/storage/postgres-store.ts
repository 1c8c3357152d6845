import pg from 'pg';
import { commit, PostgresCommits, type TransactionEnds, withClient } from './postgres-commit.ts';
import { guarded } from './postgres-error.ts';
import { DatabaseHolder } from './postgres-holder.ts';
import { POSTGRES_SCHEMA } from './schema.ts';
import { insertStatement, type SqlRow, type SqlSession, type SqlStore, type SqlValue } from './sql-store.ts';
import { type IndexedRecord, splitTokens, TOKEN_COLUMNS } from './token-rows.ts';
import { createWriteLock } from './write-lock.ts';

const INT8_OID = 20;
const POOL_SIZE = 8;
/** Rows in one statement: many for few round trips, few sizes for few statements. */
const INSERTED_AT_ONCE = [128, 16, 1];
const CONNECT_TIMEOUT_MS = 10_000;
const TABLES = ['keyring', 'category_keys', 'grants', 'records', 'tokens', 'entries'];

const integers = { getTypeParser: typeParser } as pg.CustomTypesConfig;

/** Opens a vault in a PostgreSQL database that is its own; makes the tables. */
export async function openPostgresStore(url: string): Promise<SqlStore> {
  const pool = new pg.Pool({
    connectionString: url,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types: integers,
    keepAlive: true,
  });
  // A connection that breaks while idle is replaced on next use; its error must not end the process.
  pool.on('error', () => undefined);
  const holder = await DatabaseHolder.open(pool, prepareDatabase).catch(async (cause: unknown) => {
    await pool.end();
    throw cause;
  });
  const commits = new PostgresCommits(pool, holder);
  const ready = async (): Promise<void> => {
    await holder.ensure();
    await commits.settle();
  };
  const inTurn = createWriteLock();
  const everywhere = sessionOn(pool);
  return {
    dialect: 'postgres',
    reader: {
      all: async (sql, parameters) => {
        await ready();
        return everywhere.all(sql, parameters);
      },
    },
    write: (work, committed = () => undefined) =>
      inTurn(async () => {
        await ready();
        return inTransaction(pool, commits.ends(committed), work);
      }),
    snapshot: async (work) => {
      await ready();
      return inTransaction(pool, SNAPSHOT, work);
    },
    scrub: () =>
      inTurn(async () => {
        await ready();
        await scrub(pool);
      }),
    integrity: async () => [],
    close: () =>
      inTurn(async () => {
        await holder.release();
        await pool.end();
      }),
  };
}

async function prepareDatabase(client: pg.PoolClient): Promise<void> {
  for (const statement of POSTGRES_SCHEMA) await client.query(statement);
}

const SNAPSHOT: TransactionEnds = {
  begin: async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  },
  commit: async (client) => {
    await commit(client);
    return true;
  },
};

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

function inTransaction<T>(
  pool: pg.Pool,
  ends: TransactionEnds,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  return withClient(pool, async (client, discard) => {
    await guarded(() => ends.begin(client));
    const result = await work(sessionOn(client));
    if (!(await ends.commit(client))) discard();
    return result;
  });
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
