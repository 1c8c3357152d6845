import { promises as fs } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '../shared/index.ts';
import { type VerifyLedgerOptions, verifyLedgerFolder } from './audit.ts';
import { MANIFEST_FILE, readManifest, verifyManifest, writeManifest } from './backup-manifest.ts';
import { type BlockLog, LOG_FILE } from './block-log.ts';
import type { Finding } from './finding.ts';
import { HeadFile, type HeadMark } from './head-file.ts';
import { ensureFolder, folderStorage, type Storage, storageError } from './storage.ts';

const COPY_BYTES = 1024 * 1024;

/** Copies the acknowledged part of a log that may go on growing, with its head, into an empty folder. */
export async function backupLog(log: BlockLog, folder: string, chainId: string): Promise<void> {
  await ensureEmptyFolder(folder);
  const mark = log.mark;
  const storage = folderStorage(folder);
  await copyLogBytes(log, mark, storage);
  const head = await HeadFile.create(storage);
  await head.writeBothSlots(mark).finally(() => head.close());
  await writeManifest(folder, { kind: 'ledger', chainId, height: mark.height });
}

async function copyLogBytes(log: BlockLog, mark: HeadMark, target: Storage): Promise<void> {
  const file = await target.create(LOG_FILE);
  try {
    for (let done = 0; done < mark.end; ) {
      const bytes = await log.readBytes(done, Math.min(COPY_BYTES, mark.end - done));
      if (bytes.length === 0)
        throw new AppError('damaged', `${LOG_FILE} ends at byte ${done}, before its acknowledged end.`);
      await file.write(done, bytes);
      done += bytes.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Names every byte of a backup of a ledger that is not as it was written, and whatever else an audit finds in it. */
export async function* verifyBackup(
  folder: string,
  options: VerifyLedgerOptions = {},
): AsyncGenerator<Finding> {
  yield* verifyManifest(folder);
  yield* verifyLedgerFolder(folder, options);
}

/** Copies a backup into a folder that does not exist yet; a backup with any damage is refused and named. */
export async function restoreBackup(backupFolder: string, folder: string): Promise<void> {
  await refuseUnlessVacant(folder);
  await refuseDamage(verifyManifest(backupFolder), 'damaged');
  const { files } = await readManifest(backupFolder);
  const partial = `${folder}.restoring-${process.pid}`;
  await ensureFolder(dirname(folder));
  try {
    for (const { name } of files) await copyFile(join(backupFolder, name), join(partial, name));
    await copyFile(join(backupFolder, MANIFEST_FILE), join(partial, MANIFEST_FILE));
    await refuseDamage(verifyManifest(partial), 'storage-failed');
    await fs.rm(join(partial, MANIFEST_FILE));
    await removeIfEmpty(folder);
    await fs.rename(partial, folder);
    await folderStorage(dirname(folder)).syncFolder();
  } catch (cause) {
    await fs.rm(partial, { recursive: true, force: true });
    throw storageError('restore to', folder, cause);
  }
}

async function copyFile(from: string, to: string): Promise<void> {
  await fs.mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await fs.copyFile(from, to);
  const handle = await fs.open(to, 'r+');
  await handle.sync().finally(() => handle.close());
}

async function refuseDamage(
  findings: AsyncIterable<Finding>,
  code: 'damaged' | 'storage-failed',
): Promise<void> {
  for await (const finding of findings) throw new AppError(code, finding.message);
}

async function ensureEmptyFolder(folder: string): Promise<void> {
  await refuseUnlessVacant(folder);
  await ensureFolder(folder);
}

/** Nothing that is there is ever written over. */
async function refuseUnlessVacant(folder: string): Promise<void> {
  try {
    if ((await fs.readdir(folder)).length === 0) return;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return;
    throw storageError('list', folder, cause);
  }
  throw new AppError('folder-not-empty', `${folder} is not empty. Name a folder that does not exist yet.`);
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await fs.rmdir(folder);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause;
  }
}
