import { fromUtf8, utf8 } from '../../shared/index.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { getEntry, putCommonEntry } from './entries.ts';

const TAB = 'used-numbers';

/**
 * Keeps how far numbers of keys and records were given out, before an erasure takes the rows that tell it. The access log goes
 * on naming keys that are gone: a new key under such a number would be taken for the old one.
 */
export async function noteUsedNumbers(context: VaultContext, session: SqlSession): Promise<void> {
  const value = utf8(String(context.numbers.last));
  await putCommonEntry(context, session, { tab: TAB, name: context.naming(TAB), value }, 'replace');
}

/** From here on no number is given out that one had before an erasure. */
export async function passUsedNumbers(context: VaultContext): Promise<void> {
  const value = await getEntry(context, context.store.reader, TAB, context.naming(TAB));
  if (value !== undefined) context.numbers.pass(Number(fromUtf8(value)));
}
