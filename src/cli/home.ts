import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where a person's own files are: the wallet, and the last head seen of each ledger. */
export function homeFolder(): string {
  return process.env.CARELEDGER_HOME ?? join(homedir(), '.careledger');
}

/** Makes the folder of a file, for its owner only. */
export function makeFolderOf(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
}
