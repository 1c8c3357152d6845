import { Worker } from 'node:worker_threads';
import type { StateWrite } from '../ledger/index.ts';
import { AppError } from '../shared/index.ts';
import { IndexDatabase } from './index-database.ts';
import { KeyFilter } from './key-filter.ts';
import { type IndexMark, packWrites } from './state-batch.ts';
import { mapKey, type StateValues } from './state-values.ts';

/** The worker makes short-lived garbage only. */
const YOUNG_GENERATION_MB = 4;
const FLUSH_AFTER_MS = 500;
const FLUSH_AT_WRITES = 4096;
/** Writes that wait in memory for the index; beyond it the engine takes no more. */
const MAX_WAITING_WRITES = 20_000;
const RETRY_AFTER_MS = 1000;
const CACHE_ENTRIES_PER_GENERATION = 25_000;

/**
 * State values in `index.db`, read on this thread and written behind by a worker. What is not yet written is held here,
 * so a read always sees the last committed block.
 */
export class IndexedValues implements StateValues {
  readonly #database: IndexDatabase;
  readonly #worker: Worker;
  readonly #workerEnded: Promise<unknown>;
  readonly #waiters: (() => void)[] = [];
  #waiting = new Map<string, StateWrite>();
  #beingWritten = new Map<string, StateWrite>();
  #mark: IndexMark | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failed = false;
  readonly #cache = new ValueCache();
  readonly #stored = new KeyFilter();
  #isAbsent: (key: Uint8Array) => boolean = () => true;

  constructor(path: string) {
    this.#database = new IndexDatabase(path);
    this.#worker = new Worker(new URL('./index-worker.ts', import.meta.url), {
      workerData: path,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#worker.on('message', (applied: boolean) => this.#settle(applied));
    this.#worker.on('error', () => this.#settle(false));
    this.#workerEnded = new Promise((resolve) => this.#worker.once('exit', resolve));
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const name = mapKey(key);
    const write = this.#waiting.get(name) ?? this.#beingWritten.get(name);
    if (write !== undefined) return write[1];
    const cached = this.#cache.get(name);
    if (cached !== undefined) return cached;
    const value = this.#stored.mayHave(key) ? this.#readStored(key) : undefined;
    if (value !== undefined) this.#cache.set(name, value);
    return value;
  }

  confirmAbsenceWith(isAbsent: (key: Uint8Array) => boolean): void {
    this.#isAbsent = isAbsent;
  }

  /** A row that is gone from the file must not pass for a key that never was. */
  #readStored(key: Uint8Array): Uint8Array | undefined {
    const value = readOrRefuse(this.#database, key);
    if (value === undefined && !this.#isAbsent(key)) throw unreadable();
    return value;
  }

  /** What the index holds, in key order. Read to the end at the start, before anything is asked for. */
  *storedEntries(): Generator<[Uint8Array, Uint8Array]> {
    for (const entry of this.#database.entries()) {
      this.#stored.add(entry[0]);
      yield entry;
    }
  }

  apply(mark: IndexMark, writes: readonly StateWrite[]): void {
    this.#mark = mark;
    for (const write of writes) {
      const name = mapKey(write[0]);
      this.#cache.delete(name);
      this.#waiting.set(name, write);
      this.#stored.add(write[0]);
    }
    if (this.#waiting.size >= FLUSH_AT_WRITES) this.#flush();
    else this.#scheduleFlush(FLUSH_AFTER_MS);
  }

  async ready(): Promise<void> {
    while (this.#waiting.size > MAX_WAITING_WRITES) {
      if (this.#failed)
        throw new AppError(
          'disk-full',
          'The index beside the ledger cannot be written. Free some space and try again.',
        );
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    while (!this.#failed && this.#waiting.size + this.#beingWritten.size > 0) {
      this.#flush();
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    clearTimeout(this.#timer);
    this.#worker.postMessage(null);
    await this.#workerEnded;
    this.#database.close();
  }

  #scheduleFlush(afterMs: number): void {
    this.#timer ??= setTimeout(() => this.#flush(), afterMs);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#beingWritten.size > 0 || this.#mark === undefined) return;
    this.#beingWritten = this.#waiting;
    this.#waiting = new Map();
    const batch = packWrites(this.#mark, [...this.#beingWritten.values()]);
    this.#worker.postMessage(batch, [batch.buffer]);
  }

  /** What could not be written goes back behind what came since, and is tried again. */
  #settle(applied: boolean): void {
    this.#failed = !applied;
    const written = this.#beingWritten;
    this.#beingWritten = new Map();
    if (applied) {
      for (const [name, [, value]] of written)
        if (value !== undefined && !this.#waiting.has(name)) this.#cache.set(name, value);
    } else {
      this.#waiting = new Map([...written, ...this.#waiting]);
    }
    if (this.#waiting.size > 0) this.#scheduleFlush(applied ? FLUSH_AFTER_MS : RETRY_AFTER_MS);
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

function readOrRefuse(database: IndexDatabase, key: Uint8Array): Uint8Array | undefined {
  try {
    return database.get(key);
  } catch (cause) {
    throw cause instanceof AppError ? cause : unreadable(cause);
  }
}

function unreadable(cause?: unknown): AppError {
  return new AppError(
    'damaged',
    'The index beside the ledger cannot be read. Restart the node: it is built anew from the log.',
    { cause },
  );
}

/** Two generations: what is used moves to the young one, and the old one is dropped when the young one is full. */
class ValueCache {
  #young = new Map<string, Uint8Array>();
  #old = new Map<string, Uint8Array>();

  get(name: string): Uint8Array | undefined {
    const value = this.#young.get(name);
    if (value !== undefined) return value;
    const aged = this.#old.get(name);
    if (aged !== undefined) this.set(name, aged);
    return aged;
  }

  set(name: string, value: Uint8Array): void {
    if (this.#young.size >= CACHE_ENTRIES_PER_GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(name, value);
  }

  delete(name: string): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }
}
