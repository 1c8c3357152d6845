import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import { getEntry, putCommonEntry } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';

const TAB = 'destroyed-key';
const NOTHING = new Uint8Array(0);

/** Which audit keys an erasure destroyed: of any other that is missing, the row was taken away. */
export async function rememberDestroyed(
  context: VaultContext,
  session: SqlSession,
  keyIds: readonly number[],
): Promise<void> {
  for (const keyId of keyIds) {
    const name = context.naming(TAB, String(keyId));
    await putCommonEntry(context, session, { tab: TAB, name, value: NOTHING }, 'keep');
  }
}

export async function isDestroyed(
  context: VaultContext,
  session: SqlReader,
  keyId: number,
): Promise<boolean> {
  return (await getEntry(context, session, TAB, context.naming(TAB, String(keyId)))) !== undefined;
}
