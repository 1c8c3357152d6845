import type { IndexedRecord } from './token-rows.ts';

export type SqlValue = string | number | Uint8Array | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** Statements use `?`; integers come back as numbers, blobs as Uint8Array. */
export type SqlReader = {
  all(sql: string, parameters?: readonly SqlValue[]): Promise<SqlRow[]>;
};

/** What a transaction can do. */
export type SqlSession = SqlReader & {
  /** How many rows changed. */
  run(sql: string, parameters?: readonly SqlValue[]): Promise<number>;
  /** Runs one statement with each list of parameters. */
  runEach(sql: string, lists: readonly (readonly SqlValue[])[]): Promise<void>;
  /** Inserts many rows in the way that is quickest here. */
  insert(table: string, columns: readonly string[], rows: readonly (readonly SqlValue[])[]): Promise<void>;
  /** Puts records in the index, each under all its tokens. */
  index(records: readonly IndexedRecord[]): Promise<void>;
};

/** The storage port: what a database must do for the vault. */
export type SqlStore = {
  readonly dialect: 'sqlite' | 'postgres';
  /** Sees only what was committed. */
  readonly reader: SqlReader;
  /** One writer at a time; durable when it resolves; what `work` throws rolls back. `committed` runs before the next writer. */
  write<T>(work: (session: SqlSession) => Promise<T>, committed?: () => void): Promise<T>;
  /** Reads of one moment, while writers go on. */
  snapshot<T>(work: (session: SqlReader) => Promise<T>): Promise<T>;
  /** After an erasure: leaves no deleted bytes in the database files, as far as the database can. */
  scrub(): Promise<void>;
  /** The database's own check; one line for each fault. */
  integrity(): Promise<string[]>;
  /** Closes; then `seal`, if given, gets the path of a database that is one closed file. */
  close(seal?: (path: string) => Promise<void>): Promise<void>;
};

const statements = new Map<string, string>();

/** The statement that inserts so many rows of a table. */
export function insertStatement(table: string, columns: readonly string[], rows: number): string {
  const key = `${table} ${rows} ${columns.join()}`;
  let sql = statements.get(key);
  if (sql === undefined) {
    const row = `(${columns.map(() => '?').join(', ')})`;
    sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${Array(rows).fill(row).join(', ')}`;
    statements.set(key, sql);
  }
  return sql;
}

/** `?, ?, ?` for a list of a given length, padded by the caller to few lengths where it matters. */
export function placeholders(count: number): string {
  return Array(count).fill('?').join(', ');
}
