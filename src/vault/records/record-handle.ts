import { AppError } from '../../shared/index.ts';
import type { CategoryKey } from '../keys/category-keys.ts';
import type { SealedRecord } from '../record.ts';
import { LIVE, SUPERSEDED, TOMBSTONE } from '../storage/schema.ts';
import type { SqlRow } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import {
  damagedRecord,
  openCommitted,
  openContent,
  openMeta,
  openRecord,
  placeOf,
  type RecordMeta,
  type RowPlace,
  unwrapKeyOnly,
} from './record-row.ts';
import { sealedCopyOf } from './sealed-copy.ts';

const COLUMNS =
  'r.rid, r.rkey, r.version, r.resource_type, r.updated_ms, r.state, r.key_id, r.meta_key_id, r.meta, r.wrapped';
const LISTED_CONTENT_BYTES = 4096;

/** Of one record. */
export const HANDLE_COLUMNS = `${COLUMNS}, r.content`;

/** Of many: large content stays where it is until its record is opened, so that a long list does not fill the memory. */
export const LIST_COLUMNS = `${COLUMNS}, CASE WHEN LENGTH(r.content) <= ${LISTED_CONTENT_BYTES} THEN r.content END AS content`;

/** Opens the metadata of rows: what a decision needs, before any content is decrypted. */
export async function handlesOf(context: VaultContext, rows: readonly SqlRow[]): Promise<SealedRecord[]> {
  const handles: SealedRecord[] = [];
  for (const row of rows) handles.push(await handleOf(context, row));
  return handles;
}

async function handleOf(context: VaultContext, row: SqlRow): Promise<SealedRecord> {
  const place = placeOf(row);
  const metaKey = await keyOf(context, Number(row.meta_key_id));
  const meta = openMeta(row.meta as Uint8Array, place, metaKey);
  if (meta === undefined || !columnsAgree(row, meta))
    throw damagedRecord(place, 'its metadata does not open');
  const keyId = Number(row.key_id);
  const wrapped = row.wrapped as Uint8Array;
  const content = async () => (row.content as Uint8Array | null) ?? contentOf(context, Number(row.rid));
  const opened = async (open: typeof openRecord, unlock?: { readonly categoryKey: Uint8Array }) => {
    const key = await keyOf(context, keyId);
    const stored = { wrapped, content: await content() };
    return open(stored, place, meta, unlock === undefined ? key : withoutKey(key), unlock?.categoryKey);
  };
  const dataKey = rememberedDataKey(wrapped, place);
  return {
    key: { resourceType: place.resourceType, id: meta.id, version: place.version },
    subject: meta.subject,
    labels: meta.labels,
    category: meta.category,
    lastUpdatedMs: meta.lastUpdatedMs,
    deleted: meta.deleted,
    author: meta.author,
    commitment: meta.commitment,
    open: async (unlock) =>
      unlock === undefined
        ? openContent(dataKey(await keyOf(context, keyId)), await content(), place, meta)
        : (await opened(openRecord, unlock)).plaintext,
    disclose: (unlock) => opened(openCommitted, unlock),
    sealedCopy: async () => sealedCopyOf(context, place, meta, keyId, { wrapped, content: await content() }),
  };
}

/** What was left where it is when its row was listed. */
async function contentOf({ store }: VaultContext, rid: number): Promise<Uint8Array> {
  const [row] = await store.reader.all('SELECT content FROM records WHERE rid = ?', [rid]);
  if (row === undefined)
    throw new AppError('erased', 'This was erased a moment ago. It cannot be read any more.');
  return row.content as Uint8Array;
}

/**
 * The data key of a version that is opened again and again, for as long as its handle is held and the key that wraps it is in
 * memory, too. An erasure or a new epoch forgets both.
 */
function rememberedDataKey(wrapped: Uint8Array, place: RowPlace): (key: CategoryKey) => Uint8Array {
  let known: { readonly under: CategoryKey; readonly dataKey: Uint8Array } | undefined;
  return (key) => {
    if (known?.under !== key) known = { under: key, dataKey: unwrapKeyOnly(wrapped, place, key) };
    return known.dataKey;
  };
}

/** The clear columns that a search trusts must say what was sealed. */
export function columnsAgree(row: SqlRow, meta: RecordMeta): boolean {
  const state = Number(row.state);
  const stateFits = state === SUPERSEDED || state === (meta.deleted ? TOMBSTONE : LIVE);
  return stateFits && Number(row.updated_ms) === meta.lastUpdatedMs;
}

async function keyOf(context: VaultContext, keyId: number): Promise<CategoryKey> {
  const cached = context.keys.cached(keyId);
  if (cached !== undefined) return cached;
  return context.keys.byId(context.store.reader, keyId);
}

/** The patient gave the key: whatever copy the custodian has is not used. */
function withoutKey(key: CategoryKey): CategoryKey {
  return { ...key, key: undefined };
}
