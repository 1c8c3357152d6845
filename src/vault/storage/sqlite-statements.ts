import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NULLABLE_BLOBS } from './schema.ts';
import type { SqlRow, SqlValue } from './sql-store.ts';

const MAX_STATEMENTS = 500;

/** Prepares each statement once. */
export function preparing(database: DatabaseSync): (sql: string) => StatementSync {
  const statements = new Map<string, StatementSync>();
  return (sql) => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      if (statements.size >= MAX_STATEMENTS) statements.clear();
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
}

const NOTHING = new Uint8Array(0);
const blobColumns = new WeakMap<StatementSync, readonly { name: string; isNullable: boolean }[]>();

/**
 * Every row. One flipped bit makes a blob a text, or nothing: such a value is read as an empty one, which opens under no key, so
 * that whoever reads the row finds it damaged and can go on.
 */
export function allRows(statement: StatementSync, parameters: readonly SqlValue[]): SqlRow[] {
  const rows = statement.all(...parameters) as Record<string, SqlValue>[];
  const blobs = blobsOf(statement);
  for (const row of rows) {
    for (const { name, isNullable } of blobs) {
      const value = row[name];
      if (!(value instanceof Uint8Array) && !(isNullable && value === null)) row[name] = NOTHING;
    }
  }
  return rows;
}

function blobsOf(statement: StatementSync): readonly { name: string; isNullable: boolean }[] {
  let known = blobColumns.get(statement);
  if (known === undefined) {
    known = statement
      .columns()
      .filter(({ type }) => type === 'BLOB')
      .map(({ name, table, column }) => ({ name, isNullable: NULLABLE_BLOBS.has(`${table}.${column}`) }));
    blobColumns.set(statement, known);
  }
  return known;
}
