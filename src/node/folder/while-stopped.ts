import { lockFolder } from '../../engine/index.ts';
import { removeFolderSeal, sealFolder } from './folder-seal.ts';
import type { OpenedFolder } from './init-folder.ts';

/** Works on the folder of a stopped node, which cannot start meanwhile. Where the folder was sealed, the seal fits again afterwards. */
export async function whileStopped<T>(
  opened: Pick<OpenedFolder, 'folder' | 'keys'>,
  work: () => Promise<T>,
): Promise<T> {
  const lock = lockFolder(opened.folder.ledger);
  let wasSealed = false;
  try {
    // Before anything changes: a crash must not leave a seal that does not fit.
    wasSealed = removeFolderSeal(opened.folder);
    return await work();
  } finally {
    // To read the file of the lock, as a seal does, ends the lock of this process.
    lock.release();
    if (wasSealed) await sealFolder(opened);
  }
}
