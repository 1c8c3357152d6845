import { type FileHandle, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../shared/index.ts';

const PRIVATE = 0o600;

/** The file's bytes, or undefined when there is no such file. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw new AppError('file-failed', `The file ${path} cannot be read (${errorCode(cause)}).`, { cause });
  }
}

/** Writes a new file that only its owner may read; never over another one. */
export async function createPrivate(path: string, text: string): Promise<void> {
  try {
    await writeDurably(await open(path, 'wx', PRIVATE), text);
    await syncFolder(path);
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST')
      throw new AppError('conflict', `The file ${path} exists and is not overwritten. Choose another name.`, {
        cause,
      });
    throw new AppError('file-failed', `The file ${path} cannot be written (${errorCode(cause)}).`, { cause });
  }
}

/** Replaces a file as a whole: after a crash there is the old one or the new one. */
export async function replacePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.${Date.now()}.tmp`;
  try {
    await writeDurably(await open(draft, 'wx', PRIVATE), text);
    await rename(draft, path);
    await syncFolder(path);
  } catch (cause) {
    await unlink(draft).catch(() => undefined);
    throw new AppError('file-failed', `The file ${path} cannot be written (${errorCode(cause)}).`, { cause });
  }
}

async function writeDurably(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is durable only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function errorCode(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? 'unknown';
}
