import { fromUtf8, utf8 } from '../../shared/index.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import { getEntry, putCommonEntry } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';

const TAB = 'erased-unknown';

/** Notes versions that are erased while they are so damaged that nobody can tell their commitments. */
export async function noteUnknown(context: VaultContext, session: SqlSession, more: number): Promise<void> {
  if (more === 0) return;
  const value = utf8(String((await countUnknown(context, session)) + more));
  await putCommonEntry(context, session, { tab: TAB, name: context.naming(TAB), value }, 'replace');
}

/** How many there have been. */
export async function countUnknown(context: VaultContext, session: SqlReader): Promise<number> {
  const value = await getEntry(context, session, TAB, context.naming(TAB));
  return value === undefined ? 0 : Number(fromUtf8(value));
}
