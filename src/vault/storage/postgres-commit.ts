import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { AppError } from '../../shared/index.ts';
import { guarded } from './postgres-error.ts';
import type { DatabaseHolder } from './postgres-holder.ts';

/** Every transaction that writes leaves a mark of its own beside the holder's token: it is there when the transaction is. */
const MARK = 'SELECT token FROM holder WHERE slot = 2';
const markWith = (mark: string): string =>
  `INSERT INTO holder (slot, token) VALUES (2, '${mark}') ON CONFLICT (slot) DO UPDATE SET token = excluded.token`;
/** Otherwise what is left of a transaction goes on until the server notices that nobody is there. */
const END_PROCESS =
  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND usename = current_user AND pid <> pg_backend_pid()';
/** Who writes shares this row from the beginning to the end of the transaction. */
const WAIT_FOR_ITS_END =
  "BEGIN; SET LOCAL lock_timeout = '10s'; SELECT token FROM holder WHERE slot = 1 FOR UPDATE";

/** How a transaction begins and commits. */
export type TransactionEnds = {
  begin(client: pg.PoolClient): Promise<void>;
  /** Answers whether the connection is as it was. */
  commit(client: pg.PoolClient): Promise<boolean>;
};

type Unanswered = { readonly mark: string; readonly process: number; readonly committed: () => void };

/**
 * Commits. Where the answer to a COMMIT is lost, the transaction may be there all the same, and what is in memory must follow:
 * the server is asked what became of it, by who wrote or, if it cannot be reached now, before anything else is read or written.
 */
export class PostgresCommits {
  readonly #pool: pg.Pool;
  readonly #holder: DatabaseHolder;
  #unanswered: Unanswered | undefined;
  #asking: Promise<boolean> | undefined;

  constructor(pool: pg.Pool, holder: DatabaseHolder) {
    this.#pool = pool;
    this.#holder = holder;
  }

  /** Of a transaction that writes; `committed` runs once it is there, and at the latest when `settle` has found that. */
  ends(committed: () => void): TransactionEnds {
    const mark = randomUUID();
    let process = 0;
    return {
      begin: async (client) => {
        process = await this.#holder.begin(client);
      },
      commit: async (client) => {
        try {
          await commit(client, `${markWith(mark)}; COMMIT`);
        } catch (cause) {
          this.#unanswered = { mark, process, committed };
          if (!(await this.settle())) throw cause;
          return false;
        }
        committed();
        return true;
      },
    };
  }

  /** Answers whether what was unanswered has been committed. Throws AppError `unavailable` while nobody can tell. */
  async settle(): Promise<boolean> {
    if (this.#unanswered === undefined) return false;
    this.#asking ??= this.#ask(this.#unanswered).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask({ mark, process, committed }: Unanswered): Promise<boolean> {
    const found = await withClient(this.#pool, async (client) => {
      await client.query(END_PROCESS, [process]);
      await client.query(WAIT_FOR_ITS_END);
      const { rows } = await client.query(MARK);
      await client.query('COMMIT');
      return rows[0]?.token;
    }).catch((cause: unknown) => {
      throw unanswered(cause);
    });
    this.#unanswered = undefined;
    if (found !== mark) return false;
    committed();
    return true;
  }
}

/** A transaction in which something failed is rolled back by its COMMIT, without an error. */
export async function commit(client: pg.PoolClient, statements = 'COMMIT'): Promise<void> {
  const answers: unknown = await guarded(() => client.query(statements));
  const last = [answers].flat().at(-1) as pg.QueryResult;
  if (last.command !== 'COMMIT')
    throw new AppError(
      'storage-failed',
      'PostgreSQL rolled a transaction back. See its log, then try again.',
    );
}

/** Lends a connection. One that breaks meanwhile fails its next query, and must not end the process. */
export async function withClient<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient, discard: () => void) => Promise<T>,
): Promise<T> {
  const client = await guarded(() => pool.connect());
  let broken = false;
  const discard = (): void => {
    broken = true;
  };
  client.on('error', discard);
  try {
    return await work(client, discard);
  } catch (cause) {
    await client.query('ROLLBACK').catch(discard);
    throw cause;
  } finally {
    client.release(broken);
    client.off('error', discard);
  }
}

function unanswered(cause: unknown): AppError {
  return new AppError(
    'unavailable',
    'PostgreSQL did not answer whether it has stored something, and cannot be asked yet. Check that it runs, then try again.',
    { cause },
  );
}
