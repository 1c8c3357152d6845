import { closeSync, existsSync, fstatSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '../../shared/index.ts';

const OWNER_ONLY = 0o600;

/** Puts `bytes` where `path` is, durably and all at once, and overwrites the old bytes so that none stay on the disk. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  try {
    const old = existsSync(path) ? openSync(path, 'r+') : undefined;
    writeDurably(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
    syncFolder(dirname(path));
    if (old !== undefined) overwrite(old);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw fileError(path, cause);
  }
}

/** A file that only its owner can read, flushed to the disk. */
export function writeDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', OWNER_ONLY);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Tells a full disk from a folder that may not be written. */
export function fileError(path: string, cause: unknown): AppError {
  const errno = (cause as { code?: unknown } | undefined)?.code;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new AppError(
      'disk-full',
      `No space is left for ${path}. Free some, then try again; nothing was lost.`,
      { cause },
    );
  }
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
    return new AppError(
      'folder-not-writable',
      `${path} cannot be written. Check its owner and permissions.`,
      { cause },
    );
  }
  return new AppError('file-failed', `${path} could not be read or written. Check the disk and the path.`, {
    cause,
  });
}

function overwrite(file: number): void {
  try {
    const zeros = new Uint8Array(fstatSync(file).size);
    writeSync(file, zeros, 0, zeros.length, 0);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
