import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { AppError, normalPassphrase } from '../../shared/index.ts';
import { openPassphraseKeys, replaceFile } from '../../vault/index.ts';
import { readFileIfThere } from './files.ts';
import { refuseChangedFolder } from './folder-seal.ts';
import { hasNoVault, readDescription } from './init-folder.ts';
import { type DataFolder, dataFolder } from './layout.ts';
import { checkedPassphrase, findPassphrase } from './passphrase.ts';
import { readSigningKeys, writeSigningKeys } from './signing-keys.ts';
import { whileStopped } from './while-stopped.ts';

export interface PassphraseChange {
  path: string;
  /** The present one; where it is absent, the one in the folder. */
  passphrase: string | undefined;
  next: string;
  /** For a test that has to be quick; see the vault's key file. */
  costLog2?: number;
}

/**
 * Puts every key file of a stopped node's folder under another passphrase, one file after the other, each at once. Where that is
 * cut short, the same call with the same two passphrases finishes it. Tells whether the new one lies in the folder.
 */
export async function changePassphrase(change: PassphraseChange): Promise<{ keptInFolder: boolean }> {
  const folder = dataFolder(change.path);
  if (!existsSync(folder.signingKeys)) readDescription(folder);
  await refuseChangedFolder(folder);
  const old = findPassphrase(folder, change.passphrase).text;
  const next = checkedPassphrase(change.next, 'The new passphrase');
  if (normalPassphrase(next) === normalPassphrase(old))
    throw new AppError('usage', 'The new passphrase is the present one. Choose another.');
  const keys = await openedByEither(old, next, (one) => readSigningKeys(folder.signingKeys, one));
  return whileStopped({ folder, keys }, async () => {
    await changeVaultKeys(folder, old, change);
    writeSigningKeys(folder.signingKeys, keys, next);
    return { keptInFolder: replaceKept(folder, old, next) };
  });
}

async function changeVaultKeys(folder: DataFolder, old: string, change: PassphraseChange): Promise<void> {
  if (hasNoVault(folder)) return;
  const { next, costLog2 } = change;
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  const shared = { path: folder.vaultKeys, random, ...(costLog2 !== undefined && { costLog2 }) };
  const keys = await openedByEither(old, next, (passphrase) => openPassphraseKeys({ ...shared, passphrase }));
  await keys.changePassphrase(next);
  keys.close();
}

/** After a change that was cut short, some files are under the new passphrase already. */
async function openedByEither<T>(
  old: string,
  next: string,
  open: (passphrase: string) => T | Promise<T>,
): Promise<T> {
  try {
    return await open(old);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'wrong-passphrase') throw error;
    return open(next);
  }
}

/** The file that the first start wrote, when it holds this passphrase. Last: until then it has one of the two that finish the change. */
function replaceKept(folder: DataFolder, old: string, next: string): boolean {
  const kept = readFileIfThere(folder.passphrase)?.toString('utf8').trim();
  if (kept === old) replaceFile(folder.passphrase, Buffer.from(`${next}\n`));
  return kept === old || kept === next;
}
