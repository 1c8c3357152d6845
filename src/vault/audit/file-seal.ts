import { existsSync, rmSync, statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  AppError,
  CanonicalReader,
  CanonicalWriter,
  equalBytes,
  SHA256_BYTES,
  sha256,
} from '../../shared/index.ts';
import type { KeyProtector } from '../keys/key-protector.ts';
import { macOf } from '../keys/keyring.ts';
import { fileError, replaceFile, syncFolder } from '../keys/replace-file.ts';
import { KEY_BYTES, type Random } from '../keys/sealed-box.ts';
import type { AuditFinding } from './finding.ts';

export const CHUNK_BYTES = 64 * 1024;
const FORMAT = 'careledger-file-seal/v1';
const CONTEXT = 'careledger/file-seal/v1';
const MAX_WRAPPED_BYTES = 8192;

export function sealPath(path: string): string {
  return `${path}.seal`;
}

/** Writes `<path>.seal`: a hash of every 64 KiB of a closed file, under a MAC, so that one changed byte at rest is found. */
export async function sealFile(path: string, keys: KeyProtector, random: Random): Promise<void> {
  const key = random(KEY_BYTES);
  const wrapped = await keys.wrap('root', key, CONTEXT);
  const writer = new CanonicalWriter()
    .ascii(FORMAT, 64)
    .bytes(wrapped, MAX_WRAPPED_BYTES)
    .u64(statSync(path).size);
  for await (const hash of chunkHashes(path)) writer.fixed(hash, SHA256_BYTES);
  const body = writer.finish();
  replaceFile(
    sealPath(path),
    new CanonicalWriter().fixed(body, body.length).fixed(macOf(key, body), SHA256_BYTES).finish(),
  );
}

/** What differs from the seal; nothing when there is no seal, as after a crash. */
export async function verifySeal(path: string, keys: KeyProtector): Promise<AuditFinding[]> {
  if (!existsSync(sealPath(path))) return [];
  const sealed = await readSeal(path, keys);
  if (sealed === undefined)
    return [
      {
        kind: 'file',
        where: sealPath(path),
        what: 'The seal itself is damaged, so it cannot vouch for the file.',
      },
    ];
  if (!existsSync(path)) return [{ kind: 'file', where: path, what: 'The file is missing.' }];
  const { size } = statSync(path);
  const findings = planted(path);
  if (size !== sealed.size)
    findings.push({
      kind: 'file',
      where: path,
      what: `The file has ${size} bytes, not ${sealed.size} as sealed.`,
    });
  let at = 0;
  for await (const hash of chunkHashes(path)) {
    const expected = sealed.hashes.subarray(at * SHA256_BYTES, (at + 1) * SHA256_BYTES);
    if (!equalBytes(hash, expected))
      findings.push({
        kind: 'file',
        where: `${path} ${describeChunk(at)}`,
        what: 'These bytes changed since the file was closed.',
      });
    at += 1;
  }
  return findings;
}

/** SQLite would take these for its own work that a crash cut short, and write what they say into the database. */
function planted(path: string): AuditFinding[] {
  return ['-wal', '-journal']
    .map((suffix) => `${path}${suffix}`)
    .filter((companion) => existsSync(companion) && statSync(companion).size > 0)
    .map((where) => ({ kind: 'file', where, what: 'This file was not there when the vault was closed.' }));
}

/** Once the file is to change, its seal says nothing any more. */
export function removeSeal(path: string): void {
  if (!existsSync(sealPath(path))) return;
  try {
    rmSync(sealPath(path));
    syncFolder(dirname(path));
  } catch (cause) {
    throw fileError(sealPath(path), cause);
  }
}

export function describeChunk(index: number): string {
  return `bytes ${index * CHUNK_BYTES} to ${(index + 1) * CHUNK_BYTES - 1}`;
}

/** SHA-256 of each 64 KiB of a file, in order. */
export async function* chunkHashes(path: string): AsyncIterable<Uint8Array> {
  for await (const chunk of chunksOf(path)) yield sha256(chunk);
}

/** A file in pieces of 64 KiB; the buffer is used again. */
export async function* chunksOf(path: string): AsyncIterable<Uint8Array> {
  const file = await open(path, 'r');
  const buffer = new Uint8Array(CHUNK_BYTES);
  try {
    for (;;) {
      let filled = 0;
      while (filled < CHUNK_BYTES) {
        const { bytesRead } = await file.read(buffer, filled, CHUNK_BYTES - filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled > 0) yield buffer.subarray(0, filled);
      if (filled < CHUNK_BYTES) return;
    }
  } finally {
    await file.close();
  }
}

async function readSeal(
  path: string,
  keys: KeyProtector,
): Promise<{ size: number; hashes: Uint8Array } | undefined> {
  const bytes = new Uint8Array(await readFile(sealPath(path)));
  try {
    const body = bytes.subarray(0, bytes.length - SHA256_BYTES);
    const reader = new CanonicalReader(body);
    if (reader.ascii(64) !== FORMAT) return undefined;
    const key = await keys.unwrap('root', reader.bytes(MAX_WRAPPED_BYTES), CONTEXT);
    if (!equalBytes(macOf(key, body), bytes.subarray(body.length))) return undefined;
    const size = reader.u64();
    const hashes = reader.fixed(reader.remaining());
    return hashes.length === Math.ceil(size / CHUNK_BYTES) * SHA256_BYTES ? { size, hashes } : undefined;
  } catch (cause) {
    if (cause instanceof AppError && cause.code === 'closed') throw cause;
    return undefined;
  }
}
