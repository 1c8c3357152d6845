import { Worker } from 'node:worker_threads';
import { AppError } from '../../shared/index.ts';
import { insertStatement, type SqlRow, type SqlSession, type SqlValue } from './sql-store.ts';
import { type SqliteFailure, sqliteError } from './sqlite-error.ts';
import { type IndexedRecord, TOKEN_COLUMNS } from './token-rows.ts';

/** What the thread that writes is to do. */
export type WriterStep =
  | { readonly kind: 'open' | 'close' }
  | { readonly kind: 'execute'; readonly sql: string }
  | { readonly kind: 'all'; readonly sql: string; readonly parameters: readonly SqlValue[] }
  | { readonly kind: 'run'; readonly sql: string; readonly lists: readonly (readonly SqlValue[])[] }
  | { readonly kind: 'index'; readonly sql: string; readonly records: readonly IndexedRecord[] };
/** What the last of several steps gave; the first that fails is the last. */
export type WriterAnswer = { readonly value: SqlRow[] | number } | { readonly failure: SqliteFailure };

/** The one connection that writes. It has a thread of its own, so that requests are answered while it works. */
export type SqliteWriter = {
  begin(): WriterTransaction;
  /** Outside of a transaction. */
  all(sql: string): Promise<SqlRow[]>;
  close(): Promise<void>;
};

export type WriterTransaction = {
  /** What gives no answer is only gathered, and done with the next step that gives one, or with the commit. */
  readonly session: SqlSession;
  commit(): Promise<void>;
  rollback(): Promise<void>;
};

type Ask = (...steps: readonly WriterStep[]) => Promise<SqlRow[] | number>;
type Waiting = {
  readonly resolve: (value: SqlRow[] | number) => void;
  readonly reject: (cause: unknown) => void;
};

/** The writer makes short-lived garbage only; V8's default would keep tens of megabytes for it. */
const YOUNG_GENERATION_MB = 8;

/** Starts the thread, which opens the database, or makes it, with all its tables. */
export async function openSqliteWriter(path: string): Promise<SqliteWriter> {
  const ask = startThread(path);
  const close = async () => void (await ask({ kind: 'close' }));
  try {
    await ask({ kind: 'open' });
  } catch (cause) {
    await close();
    throw cause;
  }
  return {
    begin: () => beginWith(ask),
    all: async (sql) => (await ask({ kind: 'all', sql, parameters: [] })) as SqlRow[],
    close,
  };
}

function beginWith(ask: Ask): WriterTransaction {
  let gathered: WriterStep[] = [{ kind: 'execute', sql: 'BEGIN IMMEDIATE' }];
  const gather = (step: WriterStep): Promise<void> => {
    gathered.push(step);
    return Promise.resolve();
  };
  const askNow: Ask = (...steps) => {
    const all = [...gathered, ...steps];
    gathered = [];
    return ask(...all);
  };
  return {
    session: {
      all: async (sql, parameters = []) =>
        (await askNow({ kind: 'all', sql, parameters: own(parameters) })) as SqlRow[],
      run: async (sql, parameters = []) =>
        Number(await askNow({ kind: 'run', sql, lists: [own(parameters)] })),
      runEach: (sql, lists) => gather({ kind: 'run', sql, lists: lists.map(own) }),
      insert: (table, columns, rows) =>
        gather({ kind: 'run', sql: insertStatement(table, columns, 1), lists: rows.map(own) }),
      index: (records) =>
        gather({
          kind: 'index',
          sql: insertStatement('tokens', TOKEN_COLUMNS, 1),
          records: records.map(({ rid, tokens }) => ({ rid, tokens: new Uint8Array(tokens) })),
        }),
    },
    commit: async () => void (await askNow({ kind: 'execute', sql: 'COMMIT' })),
    rollback: async () => void (await ask({ kind: 'execute', sql: 'ROLLBACK' })),
  };
}

function startThread(path: string): Ask {
  const worker = new Worker(new URL('./sqlite-writer-worker.ts', import.meta.url), {
    workerData: path,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  const waiting: Waiting[] = [];
  let ended: AppError | undefined;
  const end = (cause?: unknown): void => {
    ended ??= new AppError('closed', 'The vault is closed.', { cause });
    for (const one of waiting.splice(0)) one.reject(ended);
  };
  worker.on('message', (answer: WriterAnswer) => {
    const one = waiting.shift();
    // Idle, the thread keeps no process alive.
    if (waiting.length === 0) worker.unref();
    if ('failure' in answer) one?.reject(sqliteError(path, answer.failure));
    else one?.resolve(answer.value);
  });
  worker.on('error', end);
  worker.on('exit', end);
  return (...steps) =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      worker.ref();
      waiting.push({ resolve, reject });
      worker.postMessage(steps);
    });
}

/** Bytes that are part of a larger buffer are copied: to send them would send all of it. */
function own(values: readonly SqlValue[]): SqlValue[] {
  return values.map((value) =>
    value instanceof Uint8Array && value.length < value.buffer.byteLength ? new Uint8Array(value) : value,
  );
}
