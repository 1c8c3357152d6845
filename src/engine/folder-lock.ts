import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '../shared/index.ts';
import { storageError } from './storage.ts';

const LOCK_FILE = 'lock';
const OWNER_FILE = 'lock.owner';
const SQLITE_BUSY = 5;

/** Held for as long as the process lives or until released. */
export type FolderLock = { release(): void };

/**
 * Takes the folder for this process. Node has no flock of its own, so an exclusive SQLite transaction that is never
 * written holds the operating system's lock: it ends with the process, so a lock is never stale.
 */
export function lockFolder(folder: string): FolderLock {
  const database = openLockDatabase(folder);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (isBusy(cause)) throw inUseError(folder, cause);
    throw new AppError(
      'folder-not-writable',
      `Not allowed to lock ${folder}. Check its owner, its mode and the mount.`,
      { cause },
    );
  }
  noteOwner(folder, database);
  return { release: () => database.close() };
}

function openLockDatabase(folder: string): DatabaseSync {
  try {
    return new DatabaseSync(join(folder, LOCK_FILE));
  } catch (cause) {
    throw new AppError(
      'folder-not-writable',
      `Could not open the lock in ${folder}. Check that the folder exists and can be written.`,
      { cause },
    );
  }
}

/** Only for the error message of the next process; the lock itself does not depend on it. */
function noteOwner(folder: string, database: DatabaseSync): void {
  try {
    writeFileSync(join(folder, OWNER_FILE), `${process.pid}\n`, { mode: 0o600 });
  } catch (cause) {
    database.close();
    throw storageError('write', join(folder, OWNER_FILE), cause);
  }
}

function inUseError(folder: string, cause: unknown): AppError {
  return new AppError(
    'folder-in-use',
    `${folder} is in use by another process${ownerOf(folder)}. Stop that one first.`,
    { cause },
  );
}

function ownerOf(folder: string): string {
  try {
    const pid = readFileSync(join(folder, OWNER_FILE), 'utf8').trim();
    return /^\d{1,10}$/.test(pid) ? ` (process ${pid})` : '';
  } catch {
    return '';
  }
}

function isBusy(cause: unknown): boolean {
  return cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY;
}
