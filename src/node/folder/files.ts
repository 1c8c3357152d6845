import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '../../shared/index.ts';

/** Makes a folder that only its owner may enter. */
export function makePrivateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw fileError('create the folder', path, cause);
  }
}

/** Writes a file that only its owner may read, durably and all or nothing. */
export function writePrivateFile(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.new`;
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      writeSync(file, typeof content === 'string' ? Buffer.from(content) : content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (cause) {
    throw fileError('write', path, cause);
  }
}

/** A file's bytes, or undefined when there is none. */
export function readFileIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError('read', path, cause);
  }
}

/** Tells what could not be done to which of our own files, and what the reader can do. */
export function fileError(doing: string, path: string, cause: unknown): AppError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new AppError('disk-full', `No space left to ${doing} ${path}. Free some and try again.`, {
      cause,
    });
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new AppError(
      'folder-not-writable',
      `This user may not ${doing} ${path}. Check its owner and mode.`,
      { cause },
    );
  }
  return new AppError('file-failed', `Could not ${doing} ${path} (${code ?? 'unknown error'}).`, { cause });
}

/** Makes created and removed names durable. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
