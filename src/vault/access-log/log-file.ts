import { constants, existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, equalBytes } from '../../shared/index.ts';
import { fileError, syncFolder } from '../keys/replace-file.ts';
import {
  type AccessFrame,
  CHECK_BYTES,
  claimedBatch,
  claimedLength,
  decodeFrame,
  FIRST_CHECK,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  withLength,
} from './frame.ts';

const READ_BYTES = 4 * 1024 * 1024;
/** Far above what waits to be written at one time. */
const MAX_TORN_BYTES = 64 * 1024 * 1024;
/** What a disk writes whole or not at all; a page of memory is several of them. */
const BLOCK_BYTES = 512;
/** So many zeros in what was sealed or hashed are no chance. */
const CHANCE_BYTES = CHECK_BYTES / 2;

/** Where a scan stopped short: `torn` when no entry that was acknowledged is there. */
export type LogDamage = { readonly offset: number; readonly index: number; readonly torn: boolean };
export type LogScan = {
  readonly size: number;
  readonly end: number;
  readonly check: Uint8Array;
  readonly damage: LogDamage | undefined;
};

export async function openLogFile(path: string): Promise<FileHandle> {
  try {
    const isNew = !existsSync(path);
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    // Or a power cut could take the file with all that was acknowledged in it.
    if (isNew) syncFolder(dirname(path));
    return file;
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** Walks every frame from the start, checking chain and order; stops at the first that is not right. */
export async function scanFrames(
  file: FileHandle,
  visit: (frame: AccessFrame, offset: number) => void | Promise<void>,
): Promise<LogScan> {
  let offset = 0;
  let index = 0;
  let check = FIRST_CHECK;
  let buffer: Uint8Array = new Uint8Array(0);
  let bufferStart = 0;
  for (;;) {
    const at = offset - bufferStart;
    const length = claimedLength(buffer.subarray(at)) ?? FRAME_HEADER_BYTES;
    if (buffer.length - at < length) {
      buffer = await readAt(file, offset, Math.max(READ_BYTES, length));
      bufferStart = offset;
      if (buffer.length === 0) return { size: index, end: offset, check, damage: undefined };
    }
    const frame = decodeFrame(buffer.subarray(offset - bufferStart), index, check);
    if (
      frame === undefined &&
      (claimedLength(buffer.subarray(offset - bufferStart)) ?? 0) > buffer.length - (offset - bufferStart) &&
      bufferStart !== offset
    ) {
      buffer = await readAt(file, offset, READ_BYTES);
      bufferStart = offset;
      continue;
    }
    if (frame === undefined) {
      const torn = await isTorn(file, offset, index, check);
      return { size: index, end: offset, check, damage: { offset, index, torn } };
    }
    await visit(frame, offset);
    offset += frame.length;
    index += 1;
    check = frame.check;
  }
}

/** Whether the rest of the file is what a crash leaves of entries that nobody was told of. */
async function isTorn(file: FileHandle, offset: number, index: number, check: Uint8Array): Promise<boolean> {
  const { size } = await file.stat();
  if (size - offset > MAX_TORN_BYTES) return false;
  const tail = await readAt(file, offset, size - offset);
  return isCutShort(tail, index, check) || isWithHoles(tail, offset, index);
}

/**
 * The beginning of a frame, and perhaps zeros where the file had grown and nothing was written. A frame of which all is there
 * was acknowledged.
 */
function isCutShort(tail: Uint8Array, index: number, check: Uint8Array): boolean {
  const written = tail.subarray(0, lengthWithoutZeros(tail));
  if (written.length < FRAME_HEADER_BYTES) {
    const begun = Math.min(written.length, FRAME_MAGIC.length);
    return equalBytes(written.subarray(0, begun), FRAME_MAGIC.subarray(0, begun));
  }
  const claimed = claimedLength(written);
  if (claimed === undefined || claimed <= written.length || claimedBatch(written).index !== index)
    return false;
  return (
    !hasAnotherFrame(written, (batch) => batch.index === index + 1) && !isWholeAtLength(tail, index, check)
  );
}

/**
 * The blocks of one write reach the disk in any order, and those that did not are zeros, whatever stands behind them. Once a
 * later batch was begun, the one before it had been flushed and acknowledged.
 */
function isWithHoles(tail: Uint8Array, offset: number, index: number): boolean {
  const damaged = tail.subarray(0, claimedLength(tail) ?? FRAME_HEADER_BYTES);
  return hasHole(damaged, tail, offset) && !hasAnotherFrame(tail, ({ batchFirst }) => batchFirst > index);
}

/** Whether what should be a frame has zeros in it from where it or a block begins to where a block, or the file, ends. */
function hasHole(frame: Uint8Array, tail: Uint8Array, offset: number): boolean {
  for (let at = 0; at < frame.length; at += BLOCK_BYTES - ((offset + at) % BLOCK_BYTES)) {
    const block = tail.subarray(at, at + BLOCK_BYTES - ((offset + at) % BLOCK_BYTES));
    if (block.length >= CHANCE_BYTES && block.every((byte) => byte === 0)) return true;
  }
  return false;
}

/** Zeros at the end that are more than chance: an entry ends in a hash. */
function lengthWithoutZeros(tail: Uint8Array): number {
  const length = tail.findLastIndex((byte) => byte !== 0) + 1;
  return tail.length - length >= CHANCE_BYTES ? length : tail.length;
}

/** Whether a frame with such a place in the log begins anywhere behind the first byte. */
function hasAnotherFrame(
  tail: Uint8Array,
  isSought: (claimed: Pick<AccessFrame, 'index' | 'batchFirst'>) => boolean,
): boolean {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length);
  const magic = Buffer.from(FRAME_MAGIC);
  for (let at = bytes.indexOf(magic, 1); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    const header = bytes.subarray(at, at + FRAME_HEADER_BYTES);
    if (claimedLength(header) !== undefined && isSought(claimedBatch(header))) return true;
  }
  return false;
}

/** Only the length that it claims has changed. */
function isWholeAtLength(tail: Uint8Array, index: number, check: Uint8Array): boolean {
  return decodeFrame(withLength(tail, tail.length), index, check) !== undefined;
}

/** Up to `length` bytes; fewer where the file ends. */
export async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** Where a torn tail is kept. */
export function tornPath(path: string): string {
  return `${path}.torn`;
}

/** Moves what follows `end` to a file beside and cuts the log there: it was never acknowledged. Gives how many bytes that were. */
export async function setTailAside(file: FileHandle, path: string, end: number): Promise<number> {
  const { size } = await file.stat();
  const tail = await readAt(file, end, size - end);
  const aside = await open(tornPath(path), 'w', 0o600);
  try {
    await aside.writeFile(tail);
    await aside.sync();
  } finally {
    await aside.close();
  }
  await file.truncate(end);
  await file.sync();
  syncFolder(dirname(path));
  return tail.length;
}

export function damagedLog(path: string, damage: LogDamage): AppError {
  return new AppError(
    'damaged',
    `The access log ${path} is damaged at byte ${damage.offset} (entry ${damage.index}). Keep it for inquiry and restore the last backup to a new folder.`,
  );
}
