import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { AppError } from '../../shared/index.ts';
import { guarded } from './postgres-error.ts';

/** One vault, one node: the lock is held by a connection of its own and ends with it. */
const LOCK_NUMBER = 0x0ca1_ed6e;
const TABLE = 'CREATE TABLE IF NOT EXISTS holder (slot INTEGER PRIMARY KEY, token TEXT NOT NULL)';
const TAKE =
  'INSERT INTO holder (slot, token) VALUES (1, $1) ON CONFLICT (slot) DO UPDATE SET token = excluded.token';
const HOLDER = 'SELECT token FROM holder WHERE slot = 1';
const HOLDER_AND_PROCESS = 'SELECT token, pg_backend_pid() AS process FROM holder WHERE slot = 1';

/**
 * Keeps a database for one node. A connection can break without a word, and the server then gives the lock to who asks
 * next. So who opens a database leaves a token in it, and nobody writes under the token of another.
 */
export class DatabaseHolder {
  readonly #pool: pg.Pool;
  readonly #token = randomUUID();
  #lock: pg.PoolClient | undefined;
  #retaking: Promise<void> | undefined;
  #isTakenOver = false;
  #isReleased = false;

  private constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Locks the database and prepares it. */
  static async open(
    pool: pg.Pool,
    prepare: (client: pg.PoolClient) => Promise<void>,
  ): Promise<DatabaseHolder> {
    const holder = new DatabaseHolder(pool);
    const client = await locked(pool, heldByOther, async (session) => {
      await prepare(session);
      await session.query(TABLE);
      await session.query(TAKE, [holder.#token]);
    });
    holder.#keep(client);
    return holder;
  }

  /** Takes the lock again when its connection broke. Throws AppError `unavailable` while that fails, and for good once another node had it. */
  async ensure(): Promise<void> {
    if (this.#isTakenOver) throw takenOver();
    if (this.#lock !== undefined) return;
    this.#retaking ??= this.#retake().finally(() => {
      this.#retaking = undefined;
    });
    await this.#retaking;
  }

  /**
   * Begins a transaction that writes; answers which process of the server it is in. The share lock lets nobody leave another
   * token before the transaction has ended.
   */
  async begin(client: pg.PoolClient): Promise<number> {
    const answers: unknown = await client.query(`BEGIN; ${HOLDER_AND_PROCESS} FOR SHARE`);
    const row = (answers as pg.QueryResult[])[1]?.rows[0];
    this.#refuseOther(row?.token);
    return Number(row?.process);
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    const held = this.#lock;
    this.#lock = undefined;
    // The server may hear late that a connection has ended; the next to open the database should not have to wait for it.
    await held?.query('SELECT pg_advisory_unlock($1::bigint)', [LOCK_NUMBER]).catch(() => undefined);
    held?.release(true);
  }

  async #retake(): Promise<void> {
    const client = await locked(this.#pool, notAgainYet, async (session) => {
      this.#refuseOther((await session.query(HOLDER)).rows[0]?.token);
    });
    if (this.#isReleased) client.release(true);
    else this.#keep(client);
  }

  #keep(client: pg.PoolClient): void {
    this.#lock = client;
    const lose = (): void => {
      if (this.#lock !== client) return;
      this.#lock = undefined;
      client.release(true);
    };
    client.on('error', lose);
    client.on('end', lose);
  }

  #refuseOther(token: unknown): void {
    if (token === this.#token) return;
    this.#isTakenOver = true;
    throw takenOver();
  }
}

/** A connection that holds the lock, and has done the work. */
async function locked(
  pool: pg.Pool,
  refusal: () => AppError,
  work: (client: pg.PoolClient) => Promise<void>,
): Promise<pg.PoolClient> {
  const client = await guarded(() => pool.connect());
  client.on('error', () => undefined);
  try {
    const { rows } = await guarded(() =>
      client.query('SELECT pg_try_advisory_lock($1::bigint) AS held', [LOCK_NUMBER]),
    );
    if (!rows[0]?.held) throw refusal();
    await guarded(() => work(client));
    return client;
  } catch (cause) {
    client.release(true);
    throw cause;
  }
}

function heldByOther(): AppError {
  return new AppError('folder-in-use', 'Another node has this PostgreSQL vault open. Stop it first.');
}

function notAgainYet(): AppError {
  return new AppError(
    'unavailable',
    'The connection that held this PostgreSQL vault broke. Its server has not noticed yet, or another node has the vault now. Try again.',
  );
}

function takenOver(): AppError {
  return new AppError(
    'unavailable',
    'Another node has opened this PostgreSQL vault since this one lost its connection. Stop one of them, and start the other again.',
  );
}
