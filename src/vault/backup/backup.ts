import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, fromBase64, toBase64 } from '../../shared/index.ts';
import { readAt } from '../access-log/log-file.ts';
import type { OpenAccessLog } from '../access-log/open-access-log.ts';
import { finishErasure } from '../erasure/renew-root.ts';
import type { KeyProtector } from '../keys/key-protector.ts';
import { fileError, syncFolder } from '../keys/replace-file.ts';
import { KEY_BYTES } from '../keys/sealed-box.ts';
import { BACKED_UP } from '../storage/schema.ts';
import type { SqlReader, SqlSession, SqlStore, SqlValue } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { type BackupManifest, readManifest, writeManifest } from './manifest.ts';
import { decodeRows, encodeRows } from './row-stream.ts';
import { readSealedFile, type SealedFile, SealedFileWriter } from './sealed-stream.ts';

const ROWS_NAME = 'vault-rows.sealed';
const LOG_NAME = 'access-log.sealed';
const CONTEXT = 'careledger/vault-backup/v1';
const COPY_BYTES = 1024 * 1024;
const BATCH_ROWS = 500;

/** Writes a consistent copy into a new folder, all under a key that only the protector's backup key can unwrap. */
export async function backup(
  context: VaultContext,
  log: OpenAccessLog,
  protector: KeyProtector,
  folder: string,
): Promise<void> {
  makeFolder(folder);
  // One that was cut short is still to destroy the backup key, and with it this backup.
  await finishErasure(context, protector);
  const key = context.random(KEY_BYTES);
  const wrapped = await protector.wrap('backup', key, CONTEXT);
  try {
    const files = await context.store.snapshot(async (session) => {
      // The first read fixes the moment; the log may then only be longer than what the tables say of it.
      await session.all('SELECT slot FROM keyring');
      const end = log.end;
      return [await writeRows(context, session, folder, key), await copyLog(context, log, end, folder, key)];
    });
    await refuseShut(protector, wrapped);
    writeManifest(folder, { createdAtMs: context.now(), wrappedKey: toBase64(wrapped), files });
    syncFolder(folder);
  } catch (cause) {
    throw cause instanceof AppError ? cause : fileError(folder, cause);
  } finally {
    key.fill(0);
  }
}

/** Throws AppError `conflict` when an erasure has come since the backup began: nobody could open it. */
export async function refuseShutBackup(protector: KeyProtector, folder: string): Promise<void> {
  await refuseShut(protector, wrappedKeyOf(readManifest(folder)));
}

async function refuseShut(protector: KeyProtector, wrapped: Uint8Array): Promise<void> {
  try {
    (await protector.unwrap('backup', wrapped, CONTEXT)).fill(0);
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code !== 'erased') throw cause;
    throw new AppError(
      'conflict',
      'An erasure came while the backup was taken, and destroyed its key. Take the backup again.',
      { cause },
    );
  }
}

function wrappedKeyOf(manifest: BackupManifest): Uint8Array {
  return fromBase64(manifest.wrappedKey) ?? new Uint8Array(0);
}

function makeFolder(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new AppError('folder-not-empty', `${folder} is not empty. Name a new folder for the backup.`);
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw fileError(folder, cause);
  }
}

function writeRows(
  context: VaultContext,
  session: SqlReader,
  folder: string,
  key: Uint8Array,
): Promise<SealedFile> {
  return SealedFileWriter.fill(folder, ROWS_NAME, key, context.random, async (writer) => {
    for await (const row of encodeRows(session)) await writer.write(row);
  });
}

function copyLog(
  context: VaultContext,
  log: OpenAccessLog,
  end: number,
  folder: string,
  key: Uint8Array,
): Promise<SealedFile> {
  return SealedFileWriter.fill(folder, LOG_NAME, key, context.random, async (writer) => {
    for (let at = 0; at < end; at += COPY_BYTES)
      await writer.write(await readAt(log.file, at, Math.min(COPY_BYTES, end - at)));
  });
}

/** Puts a backup into an empty database and a new access log. Throws AppError `erased` when an erasure destroyed its key. */
export async function restoreRows(
  backupFolder: string,
  store: SqlStore,
  protector: KeyProtector,
  logPath: string,
): Promise<void> {
  const manifest = readManifest(backupFolder);
  if ((await store.reader.all('SELECT slot FROM keyring')).length > 0 || existsSync(logPath)) {
    throw new AppError(
      'folder-not-empty',
      'There is a vault already where the backup would go. Restore into a new folder and an empty database.',
    );
  }
  const key = await protector.unwrap('backup', wrappedKeyOf(manifest), CONTEXT);
  await store.write((session) =>
    insertBackedUp(session, readSealedFile(join(backupFolder, ROWS_NAME), ROWS_NAME, key)),
  );
  await restoreLog(backupFolder, logPath, key);
  key.fill(0);
}

async function insertBackedUp(session: SqlSession, stream: AsyncIterable<Uint8Array>): Promise<void> {
  let table = 0;
  let rows: (readonly SqlValue[])[] = [];
  const flush = async () => {
    const { table: name, columns } = BACKED_UP[table] as (typeof BACKED_UP)[number];
    await session.insert(name, columns, rows);
    if (name === 'records') await insertTokens(session, columns, rows);
    rows = [];
  };
  for await (const row of decodeRows(stream)) {
    if (row.table !== table || rows.length >= BATCH_ROWS) await flush();
    table = row.table;
    rows.push(row.values);
  }
  await flush();
}

/** Index rows are not in a backup: each record lists its own. */
async function insertTokens(
  session: SqlSession,
  columns: readonly string[],
  rows: readonly (readonly SqlValue[])[],
): Promise<void> {
  const rid = columns.indexOf('rid');
  const tokens = columns.indexOf('tokens');
  await session.index(rows.map((row) => ({ rid: row[rid] as number, tokens: row[tokens] as Uint8Array })));
}

async function restoreLog(backupFolder: string, logPath: string, key: Uint8Array): Promise<void> {
  const file = await open(logPath, 'wx', 0o600).catch((cause: unknown) => {
    throw fileError(logPath, cause);
  });
  try {
    for await (const part of readSealedFile(join(backupFolder, LOG_NAME), LOG_NAME, key))
      await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}
