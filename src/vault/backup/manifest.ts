import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, canonicalJson, fromUtf8, sha256, toHex, utf8 } from '../../shared/index.ts';
import { CHUNK_BYTES, chunkHashes, describeChunk } from '../audit/file-seal.ts';
import type { AuditFinding } from '../audit/finding.ts';
import { writeDurably } from '../keys/replace-file.ts';
import type { SealedFile } from './sealed-stream.ts';

export const MANIFEST_NAME = 'vault-backup.json';
const FORMAT = 'careledger-vault-backup/v1';

export type BackupManifest = {
  readonly format: typeof FORMAT;
  readonly createdAtMs: number;
  /** The key of this backup, wrapped under the protector's backup key; base64. */
  readonly wrappedKey: string;
  readonly files: readonly SealedFile[];
};

/** Two lines: the manifest as canonical JSON, and the hash of that line. */
export function writeManifest(folder: string, manifest: Omit<BackupManifest, 'format'>): void {
  const line = canonicalJson({ format: FORMAT, ...manifest });
  writeDurably(join(folder, MANIFEST_NAME), utf8(`${line}\n${toHex(sha256(utf8(line)))}\n`));
}

/** Throws AppError `damaged` or `not-found`. */
export function readManifest(folder: string): BackupManifest {
  const path = join(folder, MANIFEST_NAME);
  if (!existsSync(path))
    throw new AppError('not-found', `${folder} holds no vault backup (${MANIFEST_NAME} is missing).`);
  const text = fromUtf8(readFileSync(path)) ?? '';
  const [line = '', hash, rest, ...more] = text.split('\n');
  if (hash !== toHex(sha256(utf8(line))) || rest !== '' || more.length > 0) throw damaged(path);
  const manifest = JSON.parse(line) as BackupManifest;
  if (manifest.format !== FORMAT) throw damaged(path);
  return manifest;
}

function damaged(path: string): AppError {
  return new AppError('damaged', `The manifest ${path} is damaged. Use another backup.`);
}

/** Checks every byte of a backup without any key; yields what changed, is missing or does not belong. */
export async function* verifyBackup(folder: string): AsyncIterable<AuditFinding> {
  let manifest: BackupManifest;
  try {
    manifest = readManifest(folder);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return yield { kind: 'file', where: join(folder, MANIFEST_NAME), what: error.message };
  }
  for (const file of manifest.files) yield* verifyFile(join(folder, file.name), file);
  const known = new Set([MANIFEST_NAME, ...manifest.files.map((file) => file.name)]);
  for (const name of readdirSync(folder)) {
    if (!known.has(name))
      yield { kind: 'file', where: join(folder, name), what: 'This file is not part of the backup.' };
  }
}

async function* verifyFile(path: string, file: SealedFile): AsyncIterable<AuditFinding> {
  if (!existsSync(path)) return yield { kind: 'file', where: path, what: 'The file is missing.' };
  const { size } = statSync(path);
  if (size !== file.size)
    yield { kind: 'file', where: path, what: `The file has ${size} bytes, not ${file.size}.` };
  let index = 0;
  for await (const hash of chunkHashes(path)) {
    if (toHex(hash) !== file.chunks[index])
      yield {
        kind: 'file',
        where: `${path} ${describeChunk(index)}`,
        what: 'These bytes changed since the backup.',
      };
    index += 1;
  }
  if (index < Math.ceil(file.size / CHUNK_BYTES))
    yield { kind: 'file', where: `${path} ${describeChunk(index)}`, what: 'The file ends here too soon.' };
}
