import { AppError, concatBytes, equalBytes, SHA256_BYTES } from '../../shared/index.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import { openEntry, putEntry } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';
import { erasureRootOf } from './erasure-record.ts';

const TAB = 'erased';
/** Well below what one row may hold. */
const COMMITMENTS_PER_ROW = 50_000;

/** The commitments of one erasure: they are on the ledger for good, and mean nothing without the salts that are gone. */
export type ErasedVersions = {
  readonly erasureRoot: Uint8Array;
  readonly commitments: readonly Uint8Array[];
};

/** Remembers what was erased, in the transaction that erases, so that an audit can tell it from what was taken away. */
export async function rememberErased(
  context: VaultContext,
  session: SqlSession,
  commitments: readonly Uint8Array[],
): Promise<void> {
  const root = erasureRootOf(commitments);
  for (let at = 0, row = 0; at < commitments.length; at += COMMITMENTS_PER_ROW, row++) {
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, row);
    const entry = {
      tab: TAB,
      name: concatBytes(root, number),
      subject: null,
      expiresAtMs: null,
      value: concatBytes(...commitments.slice(at, at + COMMITMENTS_PER_ROW)),
    };
    await putEntry(context, session, new Map(), entry, 'replace');
  }
}

/** Every erasure there was. Throws AppError `damaged` when a list does not have the root it is filed under. */
export async function listErased(context: VaultContext): Promise<ErasedVersions[]> {
  const rows = await context.store.reader.all('SELECT * FROM entries WHERE tab = ? ORDER BY name', [TAB]);
  const byRoot = new Map<string, { erasureRoot: Uint8Array; commitments: Uint8Array[] }>();
  for (const row of rows) {
    const erasureRoot = (row.name as Uint8Array).slice(0, SHA256_BYTES);
    const key = Buffer.from(erasureRoot).toString('hex');
    const erased = byRoot.get(key) ?? { erasureRoot, commitments: [] };
    const value = await openEntry(context, row);
    for (let at = 0; at < value.length; at += SHA256_BYTES)
      erased.commitments.push(value.slice(at, at + SHA256_BYTES));
    byRoot.set(key, erased);
  }
  for (const { erasureRoot, commitments } of byRoot.values()) {
    if (!equalBytes(erasureRootOf(commitments), erasureRoot))
      throw new AppError('damaged', 'The list of erased versions is not whole. Run the audit.');
  }
  return [...byRoot.values()];
}
