import { AppError } from '../../shared/index.ts';
import type { PutResult, SealedWrite } from '../record.ts';
import { writeWithKeys } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';
import { type IndexedWrite, indexWrite } from './indexed-write.ts';
import { writeRecords } from './write-records.ts';

const MAX_BATCH = 512;
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
const MAX_WAITING = 50_000;

type Waiting = {
  readonly indexed: IndexedWrite;
  readonly resolve: (result: PutResult) => void;
  readonly reject: (error: unknown) => void;
};

/** Puts that wait at the same time share one transaction, and so one flush to the disk. */
export type PutQueue = { put(write: SealedWrite): Promise<PutResult> };

export function createPutQueue(context: VaultContext): PutQueue {
  let waiting: Waiting[] = [];
  let running = false;
  const drain = async () => {
    while (waiting.length > 0) {
      const size = batchSize(waiting);
      const batch = waiting.slice(0, size);
      waiting = waiting.slice(size);
      await storeBatch(context, batch);
    }
    running = false;
  };
  return {
    put: (write) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= MAX_WAITING) {
          reject(new AppError('busy', 'Too many writes are waiting. Try again in a second.'));
          return;
        }
        waiting.push({ indexed: indexWrite(context, write), resolve, reject });
        if (running) return;
        running = true;
        // Whoever else puts in this turn of the event loop joins the batch.
        setImmediate(drain);
      }),
  };
}

function batchSize(waiting: readonly Waiting[]): number {
  let bytes = 0;
  let size = 0;
  while (size < waiting.length && size < MAX_BATCH && (size === 0 || bytes < MAX_BATCH_BYTES)) {
    bytes += waiting[size]?.indexed.write.plaintext.length ?? 0;
    size++;
  }
  return size;
}

async function storeBatch(context: VaultContext, batch: readonly Waiting[]): Promise<void> {
  const writes = batch.map((one) => one.indexed);
  try {
    const outcomes = await writeWithKeys(context, (session, staged, changed) =>
      writeRecords(context, session, writes, staged, changed),
    );
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome instanceof AppError) batch[index]?.reject(outcome);
      else batch[index]?.resolve(outcome);
    }
  } catch (error) {
    // One bad write must not fail its neighbours: each is tried alone. Not where nobody can tell yet what has been stored.
    if (batch.length === 1 || isUnavailable(error)) for (const one of batch) one.reject(error);
    else for (const one of batch) await storeBatch(context, [one]);
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AppError && error.code === 'unavailable';
}
