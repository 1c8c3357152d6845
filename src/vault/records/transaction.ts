import { AppError } from '../../shared/index.ts';
import type { PutResult, SealedWrite, VaultTransaction } from '../record.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import { writeWithKeys } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';
import { createRecordReader } from './find-records.ts';
import { indexWrites } from './indexed-write.ts';
import { type WriteOutcome, writeRecords } from './write-records.ts';

/** Other writers wait for a transaction: one that hangs is undone. */
const LIMIT_MS = 60_000;

/** All or nothing; what `work` reads includes what it has written. */
export function runTransaction<T>(
  context: VaultContext,
  work: (transaction: VaultTransaction) => Promise<T>,
): Promise<T> {
  return writeWithKeys(context, async (session, staged, changed) => {
    const guard = guarded(session);
    const transaction: VaultTransaction = {
      ...createRecordReader(context, guard.session, staged),
      putAll: async (writes) => {
        const indexed = await indexWrites(context, writes);
        return allStored(await writeRecords(context, guard.session, indexed, staged, changed));
      },
    };
    try {
      return await withinLimit(work(transaction));
    } finally {
      guard.end();
    }
  });
}

/** A transaction of puts alone. */
export async function putAll(context: VaultContext, writes: readonly SealedWrite[]): Promise<PutResult[]> {
  const indexed = await indexWrites(context, writes);
  return writeWithKeys(context, async (session, staged, changed) =>
    allStored(await writeRecords(context, session, indexed, staged, changed)),
  );
}

function allStored(outcomes: readonly WriteOutcome[]): PutResult[] {
  return outcomes.map((outcome) => {
    if (outcome instanceof AppError) throw outcome;
    return outcome;
  });
}

/** A transaction object that somebody kept must not write into the next transaction. */
function guarded(session: SqlSession): { session: SqlSession; end(): void } {
  let ended = false;
  const checked =
    <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (ended) throw new AppError('closed', 'This transaction has ended. Begin another.');
      return call(...given);
    };
  return {
    session: {
      all: checked(session.all),
      run: checked(session.run),
      runEach: checked(session.runEach),
      insert: checked(session.insert),
      index: checked(session.index),
    },
    end: () => {
      ended = true;
    },
  };
}

async function withinLimit<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new AppError('timeout', 'The transaction took over a minute and was undone. Make it smaller.'),
        ),
      LIMIT_MS,
    );
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
