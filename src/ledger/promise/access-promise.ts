/**
 * The promise to log: before an answer leaves, the custodian signs that the entry is in its access log and that the log's
 * root will be on the ledger by a deadline. An entry missing after the deadline is proof against the custodian.
 */
import { parsePublicKey, verifySignature } from '../../identity/index.ts';
import {
  CanonicalReader,
  CanonicalWriter,
  concatBytes,
  DecodeError,
  equalBytes,
  err,
  fromBase64Url,
  fromHex,
  fromUtf8,
  ok,
  type Result,
  toBase64Url,
  toHex,
  utf8,
  verifyInclusion,
} from '../../shared/index.ts';

/** Entries that became durable together: one signature covers them all. */
export type PromisedBatch = {
  readonly root: Uint8Array;
  readonly firstLeafIndex: number;
  readonly size: number;
};

export type AccessPromise = {
  /** Account id of who promises. */
  readonly custodian: Uint8Array;
  /** The key under the signature. Whether it is the custodian's, the ledger shows. */
  readonly key: Uint8Array;
  /** RFC 9162 leaf hash of the entry. */
  readonly entryHash: Uint8Array;
  /** Place of the entry in the whole log. */
  readonly leafIndex: number;
  readonly batch: PromisedBatch;
  /** Inclusion of leaf (leafIndex - batch.firstLeafIndex) in a tree of batch.size leaves. */
  readonly batchPath: readonly Uint8Array[];
  readonly anchorDeadlineMs: number;
  readonly signature: Uint8Array;
};

/** The deadline is never further from when the promise was made, so a later one was not made then. */
export const MAX_PROMISE_DELAY_MS = 60_000;
/** How far the clock of who gets a promise may be behind. */
const MAX_CLOCK_LAG_MS = 60_000;

const DOMAIN = utf8('careledger/log-promise/v1\0');
const FORMAT = 'careledger-log-promise/v1';
const SIGNATURE_BYTES = 64;
const HASH_BYTES = 32;
const KEY_BYTES = 32;
const MAX_HEADER_CHARS = 8192;
const MAX_PATH = 53;

/** The bytes a custodian signs. */
export function promiseMessage(
  custodian: Uint8Array,
  batch: PromisedBatch,
  anchorDeadlineMs: number,
): Uint8Array {
  const body = new CanonicalWriter()
    .fixed(custodian, HASH_BYTES)
    .fixed(batch.root, HASH_BYTES)
    .u64(batch.firstLeafIndex)
    .u64(batch.size)
    .u64(anchorDeadlineMs)
    .finish();
  return concatBytes(DOMAIN, body);
}

/** Signs a batch. The bytes are what the access log keeps as the batch's signature: deadline, then Ed25519 signature. */
export function signBatchPromise(
  batch: PromisedBatch,
  promise: {
    readonly custodian: Uint8Array;
    readonly anchorDeadlineMs: number;
    readonly sign: (message: Uint8Array) => Uint8Array;
  },
): Uint8Array {
  const signature = promise.sign(promiseMessage(promise.custodian, batch, promise.anchorDeadlineMs));
  return new CanonicalWriter().u64(promise.anchorDeadlineMs).fixed(signature, SIGNATURE_BYTES).finish();
}

/** The promise about one entry of a signed batch; undefined when the batch was not signed. */
export function promiseOfEntry(
  custodian: { readonly accountId: Uint8Array; readonly publicKey: Uint8Array },
  entry: {
    readonly leafIndex: number;
    readonly leafHash: Uint8Array;
    readonly batch: PromisedBatch;
    readonly batchPath: readonly Uint8Array[];
    readonly batchSignature: Uint8Array;
  },
): AccessPromise | undefined {
  if (entry.batchSignature.length !== 8 + SIGNATURE_BYTES) return undefined;
  const reader = new CanonicalReader(entry.batchSignature);
  const anchorDeadlineMs = reader.u64();
  const signature = reader.fixed(SIGNATURE_BYTES);
  const { leafIndex, leafHash, batch, batchPath } = entry;
  const { accountId, publicKey } = custodian;
  const place = { entryHash: leafHash, leafIndex, batch, batchPath };
  return { custodian: accountId, key: publicKey, ...place, anchorDeadlineMs, signature };
}

/** Whether the holder of its key made this promise: the entry is in the batch, and the batch and deadline are signed. */
export function verifyPromise(promise: AccessPromise): boolean {
  const { batch, leafIndex } = promise;
  const key = parsePublicKey(promise.key);
  if (!key.ok) return false;
  const place = leafIndex - batch.firstLeafIndex;
  if (!Number.isSafeInteger(place) || place < 0) return false;
  if (!verifyInclusion(promise.entryHash, place, batch.size, promise.batchPath, batch.root)) return false;
  return verifySignature(
    key.value,
    promiseMessage(promise.custodian, batch, promise.anchorDeadlineMs),
    promise.signature,
  );
}

/** Whether a promise that came at this time is due as soon as it has to be. One that is due in a hundred years is none. */
export function isDueInTime({ anchorDeadlineMs }: AccessPromise, receivedMs: number): boolean {
  return anchorDeadlineMs <= receivedMs + MAX_PROMISE_DELAY_MS + MAX_CLOCK_LAG_MS;
}

/**
 * The value of the header `CareLedger-Log-Promise`: canonical JSON (RFC 8785) in base64url. The members stand in sorted order
 * here and hold only ASCII texts and integers, which makes JSON.stringify canonical.
 */
export function encodePromise(promise: AccessPromise): string {
  const { batch } = promise;
  const json = JSON.stringify({
    anchorDeadlineMs: promise.anchorDeadlineMs,
    batch: { firstLeafIndex: batch.firstLeafIndex, root: toHex(batch.root), size: batch.size },
    batchPath: promise.batchPath.map(toHex),
    custodian: toHex(promise.custodian),
    entryHash: toHex(promise.entryHash),
    format: FORMAT,
    key: toHex(promise.key),
    leafIndex: promise.leafIndex,
    signature: toHex(promise.signature),
  });
  return toBase64Url(utf8(json));
}

/** Reads a header value. Strict: what `encodePromise` would not write is refused. */
export function decodePromise(text: string): Result<AccessPromise, string> {
  if (text.length > MAX_HEADER_CHARS) return err('The promise is too long.');
  try {
    const promise = readPromise(JSON.parse(fromUtf8(bytesOf(fromBase64Url(text))) ?? ''));
    return encodePromise(promise) === text
      ? ok(promise)
      : err('The promise is not in its one canonical form.');
  } catch {
    return err(
      'This is not a promise to log. It must be the value of a CareLedger-Log-Promise header, unchanged.',
    );
  }
}

type Fields = Readonly<Record<string, unknown>>;

function readPromise(value: unknown): AccessPromise {
  const fields = fieldsOf(value);
  const batch = fieldsOf(fields.batch);
  const path = fields.batchPath;
  refuseUnless(fields.format === FORMAT && Array.isArray(path) && path.length <= MAX_PATH);
  return {
    custodian: hexOf(fields.custodian, HASH_BYTES),
    key: hexOf(fields.key, KEY_BYTES),
    entryHash: hexOf(fields.entryHash, HASH_BYTES),
    leafIndex: countOf(fields.leafIndex),
    batch: {
      root: hexOf(batch.root, HASH_BYTES),
      firstLeafIndex: countOf(batch.firstLeafIndex),
      size: countOf(batch.size),
    },
    batchPath: (path as unknown[]).map((item) => hexOf(item, HASH_BYTES)),
    anchorDeadlineMs: countOf(fields.anchorDeadlineMs),
    signature: hexOf(fields.signature, SIGNATURE_BYTES),
  };
}

function fieldsOf(value: unknown): Fields {
  refuseUnless(typeof value === 'object' && value !== null);
  return value as Fields;
}

function hexOf(value: unknown, length: number): Uint8Array {
  refuseUnless(typeof value === 'string');
  const bytes = bytesOf(fromHex(value as string));
  refuseUnless(bytes.length === length);
  return bytes;
}

function bytesOf(decoded: Uint8Array | undefined): Uint8Array {
  refuseUnless(decoded !== undefined);
  return decoded as Uint8Array;
}

function countOf(value: unknown): number {
  refuseUnless(typeof value === 'number' && Number.isSafeInteger(value) && value >= 0);
  return value as number;
}

function refuseUnless(condition: boolean): void {
  if (!condition) throw new DecodeError('invalid-value', 'a field of the promise is not well formed');
}

/** What a verifier knows of the log that the promise is about. */
export type PromiseEvidence = {
  /** Block time of the ledger's newest checkpoint that the verifier trusts. */
  readonly headTimeMs: number;
  /** The custodian's newest anchor at that head. */
  readonly anchor?: { readonly logSize: number; readonly logRoot: Uint8Array };
  /** The leaf that the custodian shows at the promised place, with its inclusion in the anchored log. */
  readonly leaf?: { readonly hash: Uint8Array; readonly path: readonly Uint8Array[] };
};

/**
 * `kept`: the entry is in the anchored log. `broken`: it is proven that it is not, by an anchor too small after the deadline, or by
 * another leaf in its place. `not-shown`: the log is long enough, but no proof came. `open`: the deadline has not passed.
 */
export type PromiseState = 'kept' | 'broken' | 'not-shown' | 'open';

/** Holds a verified promise against the ledger. */
export function judgePromise(
  promise: AccessPromise,
  { headTimeMs, anchor, leaf }: PromiseEvidence,
): PromiseState {
  const isOverdue = headTimeMs > promise.anchorDeadlineMs;
  if (anchor === undefined || anchor.logSize <= promise.leafIndex) return isOverdue ? 'broken' : 'open';
  const isShown =
    leaf !== undefined &&
    verifyInclusion(leaf.hash, promise.leafIndex, anchor.logSize, leaf.path, anchor.logRoot);
  if (!isShown) return isOverdue ? 'not-shown' : 'open';
  return equalBytes(leaf.hash, promise.entryHash) ? 'kept' : 'broken';
}
