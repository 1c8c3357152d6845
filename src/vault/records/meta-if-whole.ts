import { AppError } from '../../shared/index.ts';
import type { SqlReader, SqlRow } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { openMeta, placeOf, type RecordMeta } from './record-row.ts';

/** undefined where it is damaged, for work that goes on all the same: the commitment of such a record cannot be told. */
export async function metaIfWhole(
  context: VaultContext,
  session: SqlReader,
  row: SqlRow,
): Promise<RecordMeta | undefined> {
  try {
    const key = await context.keys.byId(session, Number(row.meta_key_id));
    return openMeta(row.meta as Uint8Array, placeOf(row), key);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
