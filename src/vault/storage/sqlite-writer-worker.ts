import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { SQLITE_SCHEMA } from './schema.ts';
import type { SqlRow, SqlValue } from './sql-store.ts';
import { failureOf } from './sqlite-error.ts';
import { allRows, preparing } from './sqlite-statements.ts';
import type { WriterAnswer, WriterStep } from './sqlite-writer.ts';
import { splitTokens } from './token-rows.ts';

const PRAGMAS = `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
  PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 12000; PRAGMA journal_size_limit = 67108864; PRAGMA cell_size_check = ON`;

/** A log cannot be cut while somebody reads from it, which is soon over. */
const READERS_TIMEOUT_MS = 10_000;

let database: DatabaseSync;
let prepare: (sql: string) => StatementSync;

/** Answers each message, in the order in which they come; the first opens the database. */
parentPort?.on('message', (steps: readonly WriterStep[]) => {
  parentPort?.postMessage(answerTo(steps));
  if (steps.at(-1)?.kind === 'close') parentPort?.close();
});

function answerTo(steps: readonly WriterStep[]): WriterAnswer {
  let value: SqlRow[] | number = 0;
  try {
    for (const step of steps) value = perform(step);
    return { value };
  } catch (cause) {
    return { failure: failureOf(cause) };
  }
}

function perform(step: WriterStep): SqlRow[] | number {
  switch (step.kind) {
    case 'open':
      return open();
    case 'execute':
      return execute(step.sql);
    case 'all':
      return allRows(prepare(step.sql), step.parameters);
    case 'run':
      return runEach(step.sql, step.lists);
    case 'index':
      return index(step.sql, step.records);
    case 'close':
      database?.close();
      return 0;
  }
}

function open(): number {
  database = new DatabaseSync(String(workerData), { timeout: READERS_TIMEOUT_MS });
  prepare = preparing(database);
  database.exec(PRAGMAS);
  for (const statement of SQLITE_SCHEMA) database.exec(statement);
  return 0;
}

function execute(sql: string): number {
  // Where SQLite has ended a transaction by itself, there is nothing to roll back.
  if (sql !== 'ROLLBACK' || database.isTransaction) database.exec(sql);
  return 0;
}

/** A row at a time: SQLite takes longer over a statement that inserts many. */
function runEach(sql: string, lists: readonly (readonly SqlValue[])[]): number {
  const statement = prepare(sql);
  let changes = 0;
  for (const list of lists) changes += Number(statement.run(...list).changes);
  return changes;
}

function index(sql: string, records: readonly { rid: number; tokens: Uint8Array }[]): number {
  const statement = prepare(sql);
  for (const { rid, tokens } of records) for (const token of splitTokens(tokens)) statement.run(token, rid);
  return records.length;
}
