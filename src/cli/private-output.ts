import { statSync, writeFileSync } from 'node:fs';
import { AppError } from '../shared/index.ts';

const PRIVATE = 0o600;

/**
 * Writes a file that only its owner may read, never over one that is there: it may be a key or a wallet, named by mistake. What
 * is no file, such as /dev/stdout, is written to.
 */
export function writeNew(path: string, text: string): void {
  writeFileSync(path, text, isDevice(path) ? {} : { mode: PRIVATE, flag: 'wx' });
}

/** For before the work whose outcome the file is to hold: a consent that was granted cannot be granted again for its receipt. */
export function refuseExisting(path: string | undefined): void {
  if (path === undefined || isDevice(path) || statSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new AppError('conflict', `${path} exists and is not overwritten. Choose another name.`);
}

function isDevice(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isFile() && !found.isDirectory();
}
