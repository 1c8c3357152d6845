import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Category, categoryOfLabels } from '../category.ts';
import type { SealedWrite } from '../record.ts';
import { tokenBytes, type VaultContext } from '../vault-context.ts';

export const NO_TOKENS: Uint8Array = new Uint8Array(0);
/** Others are answered after so many, though a whole bundle is made ready. */
const AT_ONCE = 64;

/** A write with all that it will be found by. */
export type IndexedWrite = {
  readonly write: SealedWrite;
  readonly category: Category;
  /** How many search values it has, those that are alike counted each. */
  readonly valueCount: number;
  /** The keyed tokens, one after the other. */
  readonly tokens: Uint8Array;
};

/** Makes the keyed tokens. Other writers wait for a transaction, so this is done before it begins. */
export function indexWrite(context: VaultContext, write: SealedWrite): IndexedWrite {
  const category = write.category ?? categoryOfLabels(write.labels);
  const values = write.tokens;
  // Nobody but the patient may learn what is sealed.
  const isHidden = category === 'sealed' || values.length === 0;
  if (isHidden) return { write, category, valueCount: values.length, tokens: NO_TOKENS };
  const { resourceType } = write.key;
  const hashes = new Set(values.map((value) => context.hashToken(resourceType, value)));
  return { write, category, valueCount: values.length, tokens: tokenBytes([...hashes].sort().join('')) };
}

/** The same of many. */
export async function indexWrites(
  context: VaultContext,
  writes: readonly SealedWrite[],
): Promise<IndexedWrite[]> {
  const indexed: IndexedWrite[] = [];
  for (const write of writes) {
    if (indexed.length % AT_ONCE === AT_ONCE - 1) await nextTurn();
    indexed.push(indexWrite(context, write));
  }
  return indexed;
}
