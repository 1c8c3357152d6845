import { closeSync, fchmodSync, fstatSync, openSync, writeFileSync } from 'node:fs';

const PRIVATE = 0o600;

/** Writes a file that only its owner may read, also over one that others could read. */
export function writePrivate(path: string, text: string): void {
  const file = openSync(path, 'w', PRIVATE);
  try {
    if (fstatSync(file).isFile()) fchmodSync(file, PRIVATE);
    writeFileSync(file, text);
  } finally {
    closeSync(file);
  }
}
