import { equalBytes, sha256Concat, utf8 } from '../shared/index.ts';

/** Frame: magic ‖ height u64 ‖ payload length u32 ‖ previous frame's hash ‖ payload ‖ hash of all of that. */
export type Frame = {
  readonly height: number;
  readonly offset: number;
  /** The offset of the byte after the frame. */
  readonly end: number;
  readonly payload: Uint8Array;
  readonly hash: Uint8Array;
};

export const HASH_BYTES = 32;
export const FRAME_HEADER_BYTES = 48;
export const FRAME_OVERHEAD_BYTES = FRAME_HEADER_BYTES + HASH_BYTES;
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
/** What the first frame chains to. */
export const NO_FRAME_HASH: Uint8Array = new Uint8Array(HASH_BYTES);
export const FRAME_MAGIC: Uint8Array = utf8('CLF1');
const DOMAIN = utf8('careledger/frame/v1\0');

/** A frame that does not read back as written, and why. */
export class FrameError extends Error {
  readonly incomplete: boolean;

  constructor(what: string, incomplete = false) {
    super(what);
    this.incomplete = incomplete;
  }
}

/** The bytes of a frame and its hash, which the next frame chains to. */
export function encodeFrame(
  height: number,
  previousHash: Uint8Array,
  payload: Uint8Array,
): { bytes: Uint8Array; hash: Uint8Array } {
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new RangeError(`A frame of ${payload.length} bytes is over the limit.`);
  const bytes = new Uint8Array(FRAME_OVERHEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(FRAME_MAGIC, 0);
  view.setBigUint64(4, BigInt(height));
  view.setUint32(12, payload.length);
  bytes.set(previousHash, 16);
  bytes.set(payload, FRAME_HEADER_BYTES);
  const hash = frameHash(bytes.subarray(0, FRAME_HEADER_BYTES + payload.length));
  bytes.set(hash, FRAME_HEADER_BYTES + payload.length);
  return { bytes, hash };
}

/** The length of the whole frame that begins with `header`; throws FrameError when it cannot be one. */
export function frameLength(header: Uint8Array): number {
  if (header.length < FRAME_HEADER_BYTES) throw new FrameError('the file ends inside a frame header', true);
  if (!equalBytes(header.subarray(0, 4), FRAME_MAGIC)) throw new FrameError('no frame begins here');
  const payloadLength = viewOf(header).getUint32(12);
  if (payloadLength > MAX_PAYLOAD_BYTES) throw new FrameError('the frame length is impossible');
  return FRAME_OVERHEAD_BYTES + payloadLength;
}

/** Checks and takes apart the frame that `bytes` begin with; throws FrameError. The chain is checked where the previous hash is known. */
export function decodeFrame(
  bytes: Uint8Array,
  offset: number,
  height: number,
  previousHash?: Uint8Array,
): Frame {
  const length = frameLength(bytes);
  if (bytes.length < length) throw new FrameError('the file ends inside a frame', true);
  const hash = bytes.subarray(length - HASH_BYTES, length);
  if (!equalBytes(frameHash(bytes.subarray(0, length - HASH_BYTES)), hash))
    throw new FrameError('the frame does not match its hash');
  const writtenHeight = viewOf(bytes).getBigUint64(4);
  if (writtenHeight !== BigInt(height))
    throw new FrameError(`the frame says height ${writtenHeight}, not ${height}`);
  if (previousHash !== undefined && !equalBytes(bytes.subarray(16, FRAME_HEADER_BYTES), previousHash)) {
    throw new FrameError('the frame does not chain to the one before it');
  }
  return {
    height,
    offset,
    end: offset + length,
    payload: bytes.subarray(FRAME_HEADER_BYTES, length - HASH_BYTES),
    hash,
  };
}

/** The height a frame claims, for finding the next good frame after a damaged one. */
export function claimedHeight(header: Uint8Array): number {
  return Number(viewOf(header).getBigUint64(4));
}

function frameHash(headerAndPayload: Uint8Array): Uint8Array {
  return sha256Concat(DOMAIN, headerAndPayload);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
