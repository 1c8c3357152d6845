import { randomBytes } from 'node:crypto';
import { AppError } from '../../shared/index.ts';
import { readFileIfThere, writePrivateFile } from './files.ts';
import type { DataFolder } from './layout.ts';

const GENERATED_BYTES = 24;
const MIN_CHARS = 8;

/** A passphrase and whether it lies beside what it protects. */
export interface Passphrase {
  text: string;
  keptInFolder: boolean;
}

/** The passphrase of an existing folder: from the environment, else from the file the first start wrote. */
export function findPassphrase(folder: DataFolder, fromEnvironment: string | undefined): Passphrase {
  if (fromEnvironment !== undefined && fromEnvironment !== '')
    return { text: checkedPassphrase(fromEnvironment), keptInFolder: false };
  const file = readFileIfThere(folder.passphrase);
  if (file === undefined) {
    throw new AppError(
      'passphrase-missing',
      'This data folder needs its passphrase: set CARELEDGER_PASSPHRASE.',
    );
  }
  return { text: file.toString('utf8').trim(), keptInFolder: true };
}

/** The passphrase for a new folder: from the environment, else a random one in a file that only the owner can read. */
export function choosePassphrase(folder: DataFolder, fromEnvironment: string | undefined): Passphrase {
  if (fromEnvironment !== undefined && fromEnvironment !== '')
    return { text: checkedPassphrase(fromEnvironment), keptInFolder: false };
  const text = randomBytes(GENERATED_BYTES).toString('base64url');
  writePrivateFile(folder.passphrase, `${text}\n`);
  return { text, keptInFolder: true };
}

/** Refuses one that is too short. */
export function checkedPassphrase(text: string, name = 'CARELEDGER_PASSPHRASE'): string {
  if (text.length < MIN_CHARS)
    throw new AppError('usage', `${name} must have at least ${MIN_CHARS} characters.`);
  return text;
}
