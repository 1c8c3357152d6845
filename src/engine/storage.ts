import { constants, fdatasync, promises as fs, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../shared/index.ts';

const syncData = promisify(fdatasync);

/** One open file. Writes are durable only after `sync` has returned. */
export type StoredFile = {
  readonly name: string;
  size(): Promise<number>;
  /** Up to `length` bytes; fewer only where the file ends. */
  read(offset: number, length: number): Promise<Uint8Array>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
};

/** The file system as far as the log needs it. Tests put one here that loses power. */
export type Storage = {
  readonly folder: string;
  exists(name: string): Promise<boolean>;
  /** Opens an existing file for reading and writing. */
  open(name: string): Promise<StoredFile>;
  openForReading(name: string): Promise<StoredFile>;
  /** Creates a file that must not exist yet. */
  create(name: string): Promise<StoredFile>;
  /** Makes created names durable. */
  syncFolder(): Promise<void>;
};

/** The storage port on a folder of the real file system. */
export function folderStorage(folder: string): Storage {
  return {
    folder,
    exists: (name) => fileExists(join(folder, name)),
    open: (name) => openFile(folder, name, constants.O_RDWR),
    openForReading: (name) => openFile(folder, name, constants.O_RDONLY),
    create: (name) => openFile(folder, name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL),
    syncFolder: () => syncFolder(folder),
  };
}

async function fileExists(path: string): Promise<boolean> {
  try {
    await fs.stat(path);
    return true;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return false;
    throw storageError('look at', path, cause);
  }
}

async function openFile(folder: string, name: string, flags: number): Promise<StoredFile> {
  const path = join(folder, name);
  const attempt = async <T>(verb: string, action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      throw storageError(verb, path, cause);
    }
  };
  const handle = await attempt('open', () => fs.open(path, flags, 0o600));
  return {
    name,
    size: () => attempt('look at', async () => (await handle.stat()).size),
    read: (offset, length) => attempt('read', () => readFully(handle, offset, length)),
    write: (offset, bytes) => attempt('write', async () => writeFully(handle.fd, offset, bytes)),
    sync: () => attempt('sync', () => syncData(handle.fd)),
    truncate: (size) => attempt('truncate', () => handle.truncate(size)),
    close: () => attempt('close', () => handle.close()),
  };
}

async function readFully(handle: fs.FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** Into the page cache, which takes less time than handing it to another thread does; waiting for the disk is `sync`'s part. */
function writeFully(descriptor: number, offset: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written, bytes.length - written, offset + written);
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder; NTFS journals names itself.
  if (process.platform === 'win32') return;
  try {
    const handle = await fs.open(folder, constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  } catch (cause) {
    throw storageError('sync', folder, cause);
  }
}

/** Creates the folder when missing; a folder that cannot be written is refused with a typed error. */
export async function ensureFolder(folder: string): Promise<void> {
  try {
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw storageError('create', folder, cause);
  }
}

/** Turns an operating system error into one that says what to do next. */
export function storageError(verb: string, path: string, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const errno = errnoOf(cause);
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EFBIG') {
    return new AppError('disk-full', `No space is left to ${verb} ${path}. Free some space and try again.`, {
      cause,
    });
  }
  if (errno === 'EROFS' || errno === 'EACCES' || errno === 'EPERM') {
    return new AppError(
      'folder-not-writable',
      `Not allowed to ${verb} ${path}. Check its owner, its mode and the mount.`,
      { cause },
    );
  }
  return new AppError(
    'storage-failed',
    `Could not ${verb} ${path} (${errno}). Check the disk and the path.`,
    { cause },
  );
}

function errnoOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
}
