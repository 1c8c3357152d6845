import { AppError } from '../../shared/index.ts';
import type { PutResult, SealedWrite } from '../record.ts';
import { writeWithKeys } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';
import { indexWrites } from './indexed-write.ts';
import { writeRecords } from './write-records.ts';

/** All are stored, in the order given, or none. */
export async function putAll(context: VaultContext, writes: readonly SealedWrite[]): Promise<PutResult[]> {
  const indexed = await indexWrites(context, writes);
  return writeWithKeys(context, async (session, staged, changed) => {
    const outcomes = await writeRecords(context, session, indexed, staged, changed);
    return outcomes.map((outcome) => {
      if (outcome instanceof AppError) throw outcome;
      return outcome;
    });
  });
}
