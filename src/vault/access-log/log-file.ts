import { constants, type PathLike } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { AppError } from '../../shared/index.ts';
import { fileError, syncFolder } from '../keys/replace-file.ts';
import {
  type AccessFrame,
  claimedBatch,
  claimedLength,
  decodeFrame,
  FIRST_CHECK,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
} from './frame.ts';

const READ_BYTES = 4 * 1024 * 1024;

/** Where a scan stopped short: `torn` when nothing later was ever written behind it. */
export type LogDamage = { readonly offset: number; readonly index: number; readonly torn: boolean };
export type LogScan = {
  readonly size: number;
  readonly end: number;
  readonly check: Uint8Array;
  readonly damage: LogDamage | undefined;
};

export async function openLogFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
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
      const torn = await isTorn(file, offset, index);
      return { size: index, end: offset, check, damage: { offset, index, torn } };
    }
    await visit(frame, offset);
    offset += frame.length;
    index += 1;
    check = frame.check;
  }
}

/** A batch is flushed before the next begins: a later batch behind the fault proves that the fault is no torn write. */
async function isTorn(file: FileHandle, offset: number, index: number): Promise<boolean> {
  const magic = Buffer.from(FRAME_MAGIC);
  for (let start = offset + 1; ; start += READ_BYTES - FRAME_HEADER_BYTES) {
    const bytes = Buffer.from(await readAt(file, start, READ_BYTES));
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const header = bytes.subarray(at, at + FRAME_HEADER_BYTES);
      if (claimedLength(header) === undefined) continue;
      const later = claimedBatch(header);
      if (later.batchFirst > index && later.index >= later.batchFirst) return false;
    }
    if (bytes.length < READ_BYTES) return true;
  }
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

/** Moves what follows `end` to `<path>.torn` and cuts the log there: it was never acknowledged. */
export async function setTailAside(file: FileHandle, path: string, end: number): Promise<void> {
  const { size } = await file.stat();
  const tail = await readAt(file, end, Math.min(size - end, 64 * 1024 * 1024));
  const aside = await open(`${path}.torn`, 'w', 0o600);
  try {
    await aside.writeFile(tail);
    await aside.sync();
  } finally {
    await aside.close();
  }
  await file.truncate(end);
  await file.sync();
  syncFolder(folderOf(path));
}

export function damagedLog(path: string, damage: LogDamage): AppError {
  return new AppError(
    'damaged',
    `The access log ${path} is damaged at byte ${damage.offset} (entry ${damage.index}). Keep it for inquiry and restore the last backup to a new folder.`,
  );
}

function folderOf(path: PathLike): string {
  const text = String(path);
  return text.slice(0, Math.max(1, text.lastIndexOf('/')));
}
