import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import { AppError } from '../../shared/index.ts';
import { refuseChangedFolder } from '../folder/folder-seal.ts';
import { openFolder, readDescription, refuseUnnamedVault } from '../folder/init-folder.ts';
import { type DataFolder, dataFolder } from '../folder/layout.ts';
import { whileStopped } from '../folder/while-stopped.ts';
import { openNodeVault } from '../open-runtime.ts';

/** Puts new keys over the vault of a stopped node, and destroys those that backups and copies of the database from before need. */
export async function rotateRoot(options: {
  path: string;
  passphrase: string | undefined;
  vaultUrl?: string;
}): Promise<DataFolder> {
  const folder = dataFolder(options.path);
  refuseUnnamedVault(readDescription(folder), options.vaultUrl);
  await refuseChangedFolder(folder);
  const opened = openFolder(options.path, options.passphrase);
  if (opened.isNew) throw new AppError('not-found', `${folder.root} has no vault yet: it was never started.`);
  const publicKey = publicKeyOf(opened.keys.custodianSeed);
  await whileStopped(opened, async () => {
    // A vault that was made now, in a database named by mistake, would take the keys of the right one with it.
    const config = { ...options, mustExist: true };
    const vault = await openNodeVault(opened, config, { publicKey, accountId: accountIdOf(publicKey) });
    await vault.rotateRoot().finally(() => vault.close());
  });
  return folder;
}
