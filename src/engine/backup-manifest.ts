import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { verifySignature } from '../identity/index.ts';
import { AppError, fromBase64, sha256, toBase64, toHex, utf8 } from '../shared/index.ts';
import { damage, type Finding } from './finding.ts';
import { folderStorage, storageError } from './storage.ts';

export const MANIFEST_FILE = 'manifest.jsonl';
const FORMAT = 'careledger-backup/v1';
const SIGNATURE_DOMAIN = 'careledger/manifest/v1';
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
  /** Over the digest of all of the above; base64. */
  readonly signature?: string;
};

/** Which files a manifest lists, what it is called, and who signs it. */
export type ManifestOptions = {
  readonly name?: string;
  /** All but the manifest itself when absent. */
  readonly covers?: (file: string) => boolean;
};

/** Hashes every file below the folder and writes the manifest, which also carries a digest of itself. */
export async function writeManifest(
  folder: string,
  about: Readonly<Record<string, string | number>>,
  options: ManifestOptions & { readonly sign?: (message: Uint8Array) => Uint8Array } = {},
): Promise<BackupManifest> {
  const manifestName = options.name ?? MANIFEST_FILE;
  const files: BackupFile[] = [];
  for (const name of await coveredFiles(folder, options)) files.push(await hashFile(folder, name));
  const unsigned: BackupManifest = { format: FORMAT, about, files };
  const signature = options.sign?.(signedMessage(unsigned));
  const manifest = signature === undefined ? unsigned : { ...unsigned, signature: toBase64(signature) };
  const storage = folderStorage(folder);
  const file = await storage.create(manifestName);
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
export async function readManifest(folder: string, manifestName = MANIFEST_FILE): Promise<BackupManifest> {
  const bytes = await readManifestBytes(folder, manifestName);
  const manifest = parseManifest(bytes);
  if (manifest === undefined || !Buffer.from(manifestBytes(manifest)).equals(bytes)) {
    throw new AppError('damaged', `${join(folder, manifestName)} is damaged. Use another backup.`);
  }
  return manifest;
}

/**
 * Compares every file below the folder with the manifest and names each 64 KiB that differs. With `signer` the manifest
 * has to be signed by that key, so that nobody else can write one that fits other bytes.
 */
export async function* verifyManifest(
  folder: string,
  options: ManifestOptions & { readonly signer?: Uint8Array | undefined } = {},
): AsyncGenerator<Finding> {
  const manifestName = options.name ?? MANIFEST_FILE;
  let manifest: BackupManifest;
  try {
    manifest = await readManifest(folder, manifestName);
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== 'damaged') throw cause;
    yield damage('manifest-damaged', manifestName, cause.message);
    return;
  }
  if (options.signer !== undefined && !isSignedBy(options.signer, manifest)) {
    const message = `${manifestName} is not signed by the key of this node's operator.`;
    yield damage('manifest-damaged', manifestName, message);
  }
  const present = new Set(await coveredFiles(folder, options));
  for (const file of manifest.files) {
    if (options.covers?.(file.name) === false) continue;
    if (present.has(file.name)) yield* compareFile(folder, file);
    else yield damage('file-missing', file.name, `${file.name} is missing.`);
    present.delete(file.name);
  }
  for (const name of present)
    yield damage('file-unlisted', name, `${name} was not here when ${manifestName} was written.`);
}

/** The names that the manifest has to list. */
async function coveredFiles(folder: string, options: ManifestOptions): Promise<string[]> {
  const manifestName = options.name ?? MANIFEST_FILE;
  const names = await filesBelow(folder);
  return names.filter((name) => name !== manifestName && (options.covers?.(name) ?? true));
}

function signedMessage(manifest: BackupManifest): Uint8Array {
  return utf8(`${SIGNATURE_DOMAIN}\0${digestOf(manifest)}`);
}

function isSignedBy(publicKey: Uint8Array, manifest: BackupManifest): boolean {
  const signature = fromBase64(manifest.signature ?? '');
  return signature?.length === 64 && verifySignature(publicKey, signedMessage(manifest), signature);
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
      .filter((entry) => !entry.isDirectory() && !entry.isSocket())
      .map((entry) =>
        join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'),
      )
      .sort();
  } catch (cause) {
    throw storageError('list', folder, cause);
  }
}

async function readManifestBytes(folder: string, manifestName: string): Promise<Buffer> {
  const path = join(folder, manifestName);
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

/** One JSON value a line: what it is, each file, and the digest of the lines before with a signature over it. */
function manifestBytes(manifest: BackupManifest): Uint8Array {
  const last = { digest: digestOf(manifest), ...(manifest.signature && { signature: manifest.signature }) };
  return utf8(`${[...manifestLines(manifest), JSON.stringify(last)].join('\n')}\n`);
}

function manifestLines({ format, about, files }: BackupManifest): string[] {
  return [JSON.stringify({ format, about }), ...files.map((file) => JSON.stringify(file))];
}

function digestOf(manifest: BackupManifest): string {
  return toHex(sha256(utf8(manifestLines(manifest).join('\n'))));
}

function parseManifest(bytes: Uint8Array): BackupManifest | undefined {
  try {
    const lines = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).split('\n');
    const [head, ...rest] = lines.slice(0, -1).map((line): unknown => JSON.parse(line));
    const last = rest.pop();
    const signature = isRecord(last) && typeof last.signature === 'string' ? last.signature : undefined;
    if (!isRecord(head) || head.format !== FORMAT || !isAbout(head.about) || !rest.every(isBackupFile))
      return undefined;
    const files = rest.map(({ name, sizeBytes, chunks }) => ({ name, sizeBytes, chunks }));
    return { format: FORMAT, about: head.about, files, ...(signature !== undefined && { signature }) };
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
