import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { AppError, sha256, toHex, utf8 } from '../shared/index.ts';
import { damage, type Finding } from './finding.ts';
import { folderStorage, storageError } from './storage.ts';

export const MANIFEST_FILE = 'manifest.jsonl';
const FORMAT = 'careledger-backup/v1';
const CHUNK_BYTES = 64 * 1024;
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;

/** A file of the backup with the SHA-256 of each 64 KiB of it. */
export type BackupFile = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly chunks: readonly string[];
};

/** What a backup folder holds. `about` is for the reader: what the files are of. */
export type BackupManifest = {
  readonly format: typeof FORMAT;
  readonly about: Readonly<Record<string, string | number>>;
  readonly files: readonly BackupFile[];
};

/** Hashes every file below the folder and writes the manifest, which also carries a digest of itself. */
export async function writeManifest(
  folder: string,
  about: Readonly<Record<string, string | number>>,
): Promise<BackupManifest> {
  const files: BackupFile[] = [];
  for (const name of await filesBelow(folder))
    if (name !== MANIFEST_FILE) files.push(await hashFile(folder, name));
  const manifest: BackupManifest = { format: FORMAT, about, files };
  const storage = folderStorage(folder);
  const file = await storage.create(MANIFEST_FILE);
  try {
    await file.write(0, manifestBytes(manifest));
    await file.sync();
  } finally {
    await file.close();
  }
  await storage.syncFolder();
  return manifest;
}

/** Reads the manifest; every byte of it has to be as it was written. */
export async function readManifest(folder: string): Promise<BackupManifest> {
  const bytes = await readManifestBytes(folder);
  const manifest = parseManifest(bytes);
  if (manifest === undefined || !Buffer.from(manifestBytes(manifest)).equals(bytes)) {
    throw new AppError('damaged', `${join(folder, MANIFEST_FILE)} is damaged. Use another backup.`);
  }
  return manifest;
}

/** Compares every file below the folder with the manifest and names each 64 KiB that differs. */
export async function* verifyManifest(folder: string): AsyncGenerator<Finding> {
  let manifest: BackupManifest;
  try {
    manifest = await readManifest(folder);
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== 'damaged') throw cause;
    yield damage('manifest-damaged', MANIFEST_FILE, cause.message);
    return;
  }
  const present = new Set(await filesBelow(folder));
  for (const file of manifest.files) {
    if (present.has(file.name)) yield* compareFile(folder, file);
    else yield damage('file-missing', file.name, `${file.name} is missing from the backup.`);
    present.delete(file.name);
  }
  present.delete(MANIFEST_FILE);
  for (const name of present) yield damage('file-unlisted', name, `${name} is not part of the backup.`);
}

async function* compareFile(folder: string, expected: BackupFile): AsyncGenerator<Finding> {
  const actual = await hashFile(folder, expected.name);
  if (actual.sizeBytes !== expected.sizeBytes) {
    const message = `${expected.name} has ${actual.sizeBytes} bytes, not ${expected.sizeBytes}.`;
    yield damage('file-size', expected.name, message, {
      offset: Math.min(actual.sizeBytes, expected.sizeBytes),
    });
  }
  for (const [index, hash] of expected.chunks.entries()) {
    if (actual.chunks[index] === hash) continue;
    const offset = index * CHUNK_BYTES;
    const end = Math.min(offset + CHUNK_BYTES, expected.sizeBytes);
    yield damage(
      'chunk-damaged',
      expected.name,
      `${expected.name} differs between byte ${offset} and byte ${end}.`,
      { offset },
    );
  }
}

async function hashFile(folder: string, name: string): Promise<BackupFile> {
  const file = await folderStorage(folder).openForReading(name);
  try {
    const chunks: string[] = [];
    let sizeBytes = 0;
    for (;;) {
      const chunk = await file.read(sizeBytes, CHUNK_BYTES);
      if (chunk.length === 0) break;
      chunks.push(toHex(sha256(chunk)));
      sizeBytes += chunk.length;
    }
    return { name, sizeBytes, chunks };
  } finally {
    await file.close();
  }
}

/** Names of all files below the folder, with `/` between folders, sorted. */
async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) =>
        join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'),
      )
      .sort();
  } catch (cause) {
    throw storageError('list', folder, cause);
  }
}

async function readManifestBytes(folder: string): Promise<Buffer> {
  const path = join(folder, MANIFEST_FILE);
  try {
    const { size } = await fs.stat(path);
    if (size > MAX_MANIFEST_BYTES) throw new AppError('damaged', `${path} is too large to be a manifest.`);
    return await fs.readFile(path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new AppError('damaged', `${path} is missing: this folder is not a complete backup.`, { cause });
    }
    throw storageError('read', path, cause);
  }
}

/** One JSON value a line: what it is, each file, and the digest of the lines before. */
function manifestBytes(manifest: BackupManifest): Uint8Array {
  const { format, about, files } = manifest;
  const lines = [JSON.stringify({ format, about }), ...files.map((file) => JSON.stringify(file))];
  const digest = toHex(sha256(utf8(lines.join('\n'))));
  return utf8(`${[...lines, JSON.stringify({ digest })].join('\n')}\n`);
}

function parseManifest(bytes: Uint8Array): BackupManifest | undefined {
  try {
    const lines = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).split('\n');
    const [head, ...rest] = lines.slice(0, -1).map((line): unknown => JSON.parse(line));
    rest.pop();
    if (!isRecord(head) || head.format !== FORMAT || !isAbout(head.about) || !rest.every(isBackupFile))
      return undefined;
    const files = rest.map(({ name, sizeBytes, chunks }) => ({ name, sizeBytes, chunks }));
    return { format: FORMAT, about: head.about, files };
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbout(value: unknown): value is Record<string, string | number> {
  return (
    isRecord(value) && Object.values(value).every((one) => typeof one === 'string' || typeof one === 'number')
  );
}

/** A name that leads out of the folder is not the name of a file of the backup. */
function isBackupFile(value: unknown): value is BackupFile {
  if (!isRecord(value) || typeof value.name !== 'string' || !Number.isSafeInteger(value.sizeBytes))
    return false;
  if (value.name.startsWith('/') || value.name.split(/[\\/]/).includes('..')) return false;
  return Array.isArray(value.chunks) && value.chunks.every((chunk) => typeof chunk === 'string');
}
