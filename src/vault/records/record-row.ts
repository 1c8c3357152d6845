import {
  AppError,
  type BoxPlace,
  concatBytes,
  contentBinding,
  dataKeyBinding,
  equalBytes,
  fromUtf8,
  metaBinding,
  sha256,
  toHex,
} from '../../shared/index.ts';
import { CATEGORIES, type Category } from '../category.ts';
import type { CategoryKey } from '../keys/category-keys.ts';
import { KEY_BYTES, openBox, type Random, sealBox } from '../keys/sealed-box.ts';
import type { RecordKey, SealedWrite } from '../record.ts';
import type { SqlRow } from '../storage/sql-store.ts';
import { recordCommitment } from './commitment.ts';

const SALT_BYTES = 32;

/** What is sealed under the subject's general key: everything a decision needs, and what the other columns must say. */
export type RecordMeta = {
  readonly id: string;
  readonly subject: string | null;
  readonly labels: readonly string[];
  readonly author: string | null;
  readonly lastUpdatedMs: number;
  readonly deleted: boolean;
  readonly category: Category;
  /** The epoch of the key at the time of writing: part of the content's associated data. */
  readonly epoch: number;
  readonly commitment: Uint8Array;
  readonly tokensHash: Uint8Array;
};

/** Where a row stands: what its ciphertexts are bound to. */
export type RowPlace = { readonly rkey: Uint8Array; readonly version: number; readonly resourceType: string };

export type SealedParts = {
  readonly meta: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly content: Uint8Array;
  readonly commitment: Uint8Array;
};

/** Seals one version: content under a fresh data key, data key and salt under the category key, metadata under the meta key. */
export function sealRecord(
  write: SealedWrite,
  place: RowPlace,
  category: Category,
  keys: { readonly data: CategoryKey; readonly meta: CategoryKey },
  tokens: Uint8Array,
  random: Random,
): SealedParts {
  const dataKey = random(KEY_BYTES);
  const salt = random(SALT_BYTES);
  const commitment = recordCommitment(salt, write.key, write.subject, write.plaintext);
  const meta: RecordMeta = {
    id: write.key.id,
    subject: write.subject,
    labels: write.labels,
    author: write.author ?? null,
    lastUpdatedMs: write.lastUpdatedMs,
    deleted: write.deleted,
    category,
    epoch: keys.data.epoch,
    commitment,
    tokensHash: sha256(tokens),
  };
  const content = sealBox(
    dataKey,
    write.plaintext,
    boundContent(place.resourceType, place.version, meta),
    random,
  );
  const sealed = {
    meta: sealMeta(meta, place, keys.meta, random),
    wrapped: wrapDataKey(concatBytes(dataKey, salt), place, keys.data, random),
    content,
    commitment,
  };
  dataKey.fill(0);
  salt.fill(0);
  return sealed;
}

export function sealMeta(meta: RecordMeta, place: RowPlace, key: CategoryKey, random: Random): Uint8Array {
  return sealBox(usable(key), Buffer.from(encodeMeta(meta)), boundMeta(place, key), random);
}

/** undefined when a byte of it, or of the columns it is bound to, has changed. */
export function openMeta(box: Uint8Array, place: RowPlace, key: CategoryKey): RecordMeta | undefined {
  const plaintext = openBox(usable(key), box, boundMeta(place, key));
  return plaintext === undefined ? undefined : decodeMeta(plaintext);
}

export function wrapDataKey(
  keyAndSalt: Uint8Array,
  place: RowPlace,
  key: CategoryKey,
  random: Random,
): Uint8Array {
  return sealBox(usable(key), keyAndSalt, boundDataKey(place, key), random);
}

export function unwrapDataKey(
  wrapped: Uint8Array,
  place: RowPlace,
  key: CategoryKey,
  unlockKey?: Uint8Array,
): Uint8Array | undefined {
  return openBox(unlockKey ?? usable(key), wrapped, boundDataKey(place, key));
}

/** Decrypts a version; its place, patient, category and epoch are bound to it. */
export function openRecord(
  row: { readonly wrapped: Uint8Array; readonly content: Uint8Array },
  place: RowPlace,
  meta: RecordMeta,
  key: CategoryKey,
  unlockKey?: Uint8Array,
): { plaintext: Uint8Array; salt: Uint8Array } {
  const keyAndSalt = requireDataKey(row.wrapped, place, key, unlockKey);
  const plaintext = openContent(keyAndSalt.subarray(0, KEY_BYTES), row.content, place, meta);
  const salt = keyAndSalt.slice(KEY_BYTES);
  keyAndSalt.fill(0);
  return { plaintext, salt };
}

/** The data key of a version without the salt of its commitment. */
export function unwrapKeyOnly(wrapped: Uint8Array, place: RowPlace, key: CategoryKey): Uint8Array {
  const keyAndSalt = requireDataKey(wrapped, place, key);
  const dataKey = keyAndSalt.slice(0, KEY_BYTES);
  keyAndSalt.fill(0);
  return dataKey;
}

function requireDataKey(...unwrapped: Parameters<typeof unwrapDataKey>): Uint8Array {
  const keyAndSalt = unwrapDataKey(...unwrapped);
  if (keyAndSalt === undefined) throw damagedRecord(unwrapped[1], 'its data key does not open');
  return keyAndSalt;
}

/** Decrypts the content alone, under its own data key. */
export function openContent(
  dataKey: Uint8Array,
  content: Uint8Array,
  place: RowPlace,
  meta: RecordMeta,
): Uint8Array {
  const plaintext = openBox(dataKey, content, boundContent(place.resourceType, place.version, meta));
  if (plaintext === undefined) throw damagedRecord(place, 'its content does not open');
  return plaintext;
}

/** As openRecord, and checks what was opened against the commitment that is on the ledger. */
export function openCommitted(...opened: Parameters<typeof openRecord>): ReturnType<typeof openRecord> {
  const [, place, meta] = opened;
  const { plaintext, salt } = openRecord(...opened);
  const key: RecordKey = { resourceType: place.resourceType, id: meta.id, version: place.version };
  if (!equalBytes(recordCommitment(salt, key, meta.subject, plaintext), meta.commitment)) {
    throw damagedRecord(place, 'it does not match its commitment');
  }
  return { plaintext, salt };
}

export function placeOf(row: SqlRow): RowPlace {
  return {
    rkey: row.rkey as Uint8Array,
    version: Number(row.version),
    resourceType: String(row.resource_type),
  };
}

/** Names a row without naming a person. */
export function describePlace(place: RowPlace): string {
  return `records ${place.resourceType} ${toHex(place.rkey)} version ${place.version}`;
}

export function damagedRecord(place: RowPlace, what: string): AppError {
  return new AppError(
    'damaged',
    `A stored record is damaged (${describePlace(place)}): ${what}. Run the audit and restore the last backup.`,
  );
}

function usable(key: CategoryKey): Uint8Array {
  if (key.key === undefined) {
    throw new AppError(
      'record-sealed',
      'This record is sealed to the patient: only the patient’s wallet can open it (GET /wallet/sealed).',
    );
  }
  return key.key;
}

/** The associated data of the content. */
function boundContent(resourceType: string, version: number, meta: RecordMeta): Uint8Array {
  const { subject, id, category, epoch } = meta;
  return Buffer.from(contentBinding({ subject, resourceType, id, version, category, epoch }));
}

function boundMeta(place: RowPlace, key: CategoryKey): Uint8Array {
  return Buffer.from(metaBinding(boxPlaceOf(place, key)));
}

function boundDataKey(place: RowPlace, key: CategoryKey): Uint8Array {
  return Buffer.from(dataKeyBinding(boxPlaceOf(place, key)));
}

function boxPlaceOf({ rkey, version, resourceType }: RowPlace, key: CategoryKey): BoxPlace {
  const { subject: subjectName, keyClass: category, epoch, keyId } = key;
  return { recordName: rkey, version, resourceType, subjectName, category, epoch, keyId };
}

function encodeMeta(meta: RecordMeta): string {
  return JSON.stringify([
    meta.id,
    meta.subject,
    meta.labels,
    meta.author,
    meta.lastUpdatedMs,
    meta.deleted,
    CATEGORIES.indexOf(meta.category),
    meta.epoch,
    Buffer.from(meta.commitment).toString('base64'),
    Buffer.from(meta.tokensHash).toString('base64'),
  ]);
}

type MetaFields = [
  string,
  string | null,
  string[],
  string | null,
  number,
  boolean,
  number,
  number,
  string,
  string,
];

/** Authenticated before it is parsed, so the shape is what encodeMeta wrote. */
function decodeMeta(plaintext: Uint8Array): RecordMeta {
  const fields = JSON.parse(fromUtf8(plaintext) ?? '[]') as MetaFields;
  return {
    id: fields[0],
    subject: fields[1],
    labels: fields[2],
    author: fields[3],
    lastUpdatedMs: fields[4],
    deleted: fields[5],
    category: CATEGORIES[fields[6]] ?? 'general',
    epoch: fields[7],
    commitment: Buffer.from(fields[8], 'base64'),
    tokensHash: Buffer.from(fields[9], 'base64'),
  };
}
