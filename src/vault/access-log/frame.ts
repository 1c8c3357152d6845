import { equalBytes, leafHash, sha256Concat, utf8 } from '../../shared/index.ts';

/**
 * One entry of the access log on disk:
 * magic 4 ‖ length u32 ‖ leaf index u64 ‖ first leaf index of the batch u64 ‖ key number u64 ‖ subject 16 ‖ sealed bytes ‖ check 32.
 * The leaf of the tree is the hash of all before `check`; `check` chains the leaves, so nothing can be dropped or swapped.
 */
export type AccessFrame = {
  readonly index: number;
  readonly batchFirst: number;
  readonly keyId: number;
  /** Keyed hash of the patient. */
  readonly subject: Uint8Array;
  readonly box: Uint8Array;
  /** What the leaf is a hash of. */
  readonly bytes: Uint8Array;
  readonly leaf: Uint8Array;
  readonly check: Uint8Array;
  /** Of the whole frame in the file. */
  readonly length: number;
};

export const FRAME_HEADER_BYTES = 48;
export const CHECK_BYTES = 32;
export const MAX_FRAME_BYTES = 1024 * 1024;
export const FIRST_CHECK: Uint8Array = new Uint8Array(CHECK_BYTES);
export const FRAME_MAGIC: Uint8Array = utf8('CLA1');
const CHAIN = utf8('careledger/access-chain/v1\0');

type FrameHeader = {
  readonly index: number;
  readonly batchFirst: number;
  readonly keyId: number;
  readonly subject: Uint8Array;
};

/** The first 48 bytes: also the associated data of the sealed entry. `boxLength` counts nonce and tag. */
export function encodeHeader(header: FrameHeader, boxLength: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(FRAME_MAGIC, 0);
  view.setUint32(4, FRAME_HEADER_BYTES + boxLength + CHECK_BYTES);
  view.setBigUint64(8, BigInt(header.index));
  view.setBigUint64(16, BigInt(header.batchFirst));
  view.setBigUint64(24, BigInt(header.keyId));
  bytes.set(header.subject, 32);
  return bytes;
}

export function chainCheck(previous: Uint8Array, leaf: Uint8Array): Uint8Array {
  return sha256Concat(CHAIN, previous, leaf);
}

/** The length that a frame header claims; undefined when no frame begins here. */
export function claimedLength(header: Uint8Array): number | undefined {
  if (header.length < FRAME_HEADER_BYTES || !equalBytes(header.subarray(0, 4), FRAME_MAGIC)) return undefined;
  const length = viewOf(header).getUint32(4);
  const possible = length >= FRAME_HEADER_BYTES + CHECK_BYTES && length <= MAX_FRAME_BYTES;
  return possible ? length : undefined;
}

/** The same bytes with another length in the header. */
export function withLength(bytes: Uint8Array, length: number): Uint8Array {
  const changed = bytes.slice();
  viewOf(changed).setUint32(4, length);
  return changed;
}

/** Takes a whole frame apart; undefined when it is not the next one after `previous`. */
export function decodeFrame(bytes: Uint8Array, index: number, previous: Uint8Array): AccessFrame | undefined {
  const length = claimedLength(bytes);
  if (length === undefined || bytes.length < length) return undefined;
  const view = viewOf(bytes);
  const body = bytes.subarray(0, length - CHECK_BYTES);
  const leaf = leafHash(body);
  const check = bytes.slice(length - CHECK_BYTES, length);
  if (!equalBytes(chainCheck(previous, leaf), check) || Number(view.getBigUint64(8)) !== index)
    return undefined;
  return {
    index,
    batchFirst: Number(view.getBigUint64(16)),
    keyId: Number(view.getBigUint64(24)),
    subject: bytes.slice(32, FRAME_HEADER_BYTES),
    box: bytes.subarray(FRAME_HEADER_BYTES, length - CHECK_BYTES),
    bytes: body,
    leaf,
    check,
    length,
  };
}

/** The index and batch that a frame claims, for telling a torn tail from damage in the middle. */
export function claimedBatch(header: Uint8Array): { index: number; batchFirst: number } {
  const view = viewOf(header);
  return { index: Number(view.getBigUint64(8)), batchFirst: Number(view.getBigUint64(16)) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
