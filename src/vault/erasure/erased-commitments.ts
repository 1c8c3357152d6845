import {
  AppError,
  CanonicalReader,
  CanonicalWriter,
  concatBytes,
  equalBytes,
  SHA256_BYTES,
  toHex,
} from '../../shared/index.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import { openEntry, putCommonEntry } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';
import { type ErasureRecord, erasureRootOf } from './erasure-record.ts';

const TAB = 'erased';
/** Well below what one row may hold. */
const COMMITMENTS_PER_ROW = 50_000;
const MAX_TEXT = 128;

/** One erasure: what the ledger is told of it. The commitments are on the ledger for good, and mean nothing without the salts that are gone. */
export type ErasedVersions = {
  readonly erasureRoot: Uint8Array;
  readonly commitments: readonly Uint8Array[];
  readonly scope: ErasureRecord['scope'];
  readonly erasedAtMs: number;
  /** Account id in hex: whose everything was erased; null for one record, and for a patient without a wallet. */
  readonly pseudonym: string | null;
};

/**
 * Remembers what was erased, in the transaction that erases: an audit can tell it from what was taken away, and what a crash
 * kept from the ledger is put there later.
 */
export async function rememberErased(
  context: VaultContext,
  session: SqlSession,
  erased: Omit<ErasedVersions, 'erasureRoot'>,
): Promise<void> {
  const { commitments } = erased;
  const root = erasureRootOf(commitments);
  for (let at = 0, row = 0; at < commitments.length; at += COMMITMENTS_PER_ROW, row++) {
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, row);
    const value = encode({ ...erased, commitments: commitments.slice(at, at + COMMITMENTS_PER_ROW) });
    await putCommonEntry(context, session, { tab: TAB, name: concatBytes(root, number), value }, 'replace');
  }
}

/** Every erasure there was. Throws AppError `damaged` when a list does not have the root it is filed under. */
export async function listErased(context: VaultContext): Promise<ErasedVersions[]> {
  const rows = await context.store.reader.all('SELECT * FROM entries WHERE tab = ? ORDER BY name', [TAB]);
  const byRoot = new Map<string, ErasedVersions & { commitments: Uint8Array[] }>();
  for (const row of rows) {
    const erasureRoot = (row.name as Uint8Array).slice(0, SHA256_BYTES);
    const part = decode(await openEntry(context, row));
    const erased = byRoot.get(toHex(erasureRoot));
    if (erased === undefined) byRoot.set(toHex(erasureRoot), { ...part, erasureRoot });
    else for (const commitment of part.commitments) erased.commitments.push(commitment);
  }
  for (const { erasureRoot, commitments } of byRoot.values()) {
    if (!equalBytes(erasureRootOf(commitments), erasureRoot))
      throw new AppError('damaged', 'The list of erased versions is not whole. Run the audit.');
  }
  return [...byRoot.values()];
}

function encode({
  scope,
  erasedAtMs,
  pseudonym,
  commitments,
}: Omit<ErasedVersions, 'erasureRoot'>): Uint8Array {
  const writer = new CanonicalWriter()
    .ascii(scope, MAX_TEXT)
    .u64(erasedAtMs)
    .ascii(pseudonym ?? '', MAX_TEXT);
  for (const commitment of commitments) writer.fixed(commitment, SHA256_BYTES);
  return writer.finish();
}

/** Authenticated before it is read, so the shape is what `encode` wrote. */
function decode(value: Uint8Array): Omit<ErasedVersions, 'erasureRoot'> & { commitments: Uint8Array[] } {
  const reader = new CanonicalReader(value);
  const scope = reader.ascii(MAX_TEXT) as ErasedVersions['scope'];
  const erasedAtMs = reader.u64();
  const pseudonym = reader.ascii(MAX_TEXT);
  const commitments: Uint8Array[] = [];
  while (reader.remaining() > 0) commitments.push(reader.fixed(SHA256_BYTES));
  return { scope, erasedAtMs, pseudonym: pseudonym === '' ? null : pseudonym, commitments };
}
