import { AppError, toHex, utf8 } from '../../shared/index.ts';
import type { StagedKeys } from '../keys/category-keys.ts';
import { openBox, sealBox } from '../keys/sealed-box.ts';
import type { SqlReader, SqlRow, SqlSession } from '../storage/sql-store.ts';
import { subjectName, type VaultContext } from '../vault-context.ts';

/** A row of the encrypted key-value tables. `name` is a keyed hash; a patient's rows are under the patient's general key. */
export type EntryWrite = {
  readonly tab: string;
  readonly name: Uint8Array;
  readonly subject: string | null;
  readonly expiresAtMs: number | null;
  readonly value: Uint8Array;
};

const MAX_VALUE_BYTES = 4 * 1024 * 1024;
const INSERT =
  'INSERT INTO entries (tab, name, subject, expires_ms, key_id, value) VALUES (?, ?, ?, ?, ?, ?)';
const REPLACE = `${INSERT} ON CONFLICT (tab, name) DO UPDATE SET
  subject = excluded.subject, expires_ms = excluded.expires_ms, key_id = excluded.key_id, value = excluded.value`;

/** Runs `work` in a transaction; keys that it makes can be used by others once it has
 * committed, and the records it names as changed are read anew. */
export function writeWithKeys<T>(
  context: VaultContext,
  work: (session: SqlSession, staged: StagedKeys, changed: Uint8Array[]) => Promise<T>,
): Promise<T> {
  const staged: StagedKeys = new Map();
  const changed: Uint8Array[] = [];
  return context.store.write(
    (session) => work(session, staged, changed),
    () => {
      context.keys.adopt(staged);
      context.handles.forget(changed);
    },
  );
}

/** Stores a row. `keep`: an existing row stays, and the answer is false. */
export async function putEntry(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  entry: EntryWrite,
  existing: 'replace' | 'keep',
): Promise<boolean> {
  if (entry.value.length > MAX_VALUE_BYTES)
    throw new AppError('body-too-large', 'A stored value may have at most 4 MiB.');
  const subject = entry.subject === null ? null : subjectName(context.naming, entry.subject);
  const owner = subject === null ? undefined : await context.keys.ensure(session, subject, 'general', staged);
  const keyId = owner?.keyId ?? null;
  const associated = bindingOf(entry.tab, entry.name, subject, entry.expiresAtMs, keyId);
  const value = sealBox(owner?.key ?? context.keyring.table, entry.value, associated, context.random);
  const sql = existing === 'replace' ? REPLACE : `${INSERT} ON CONFLICT (tab, name) DO NOTHING`;
  return (await session.run(sql, [entry.tab, entry.name, subject, entry.expiresAtMs, keyId, value])) > 0;
}

/** Stores a row that is of no patient: under the table key, and for good. */
export function putCommonEntry(
  context: VaultContext,
  session: SqlSession,
  row: Pick<EntryWrite, 'tab' | 'name' | 'value'>,
  existing: 'replace' | 'keep',
): Promise<boolean> {
  return putEntry(context, session, new Map(), { ...row, subject: null, expiresAtMs: null }, existing);
}

export async function getEntry(
  context: VaultContext,
  session: SqlReader,
  tab: string,
  name: Uint8Array,
): Promise<Uint8Array | undefined> {
  const [row] = await session.all('SELECT * FROM entries WHERE tab = ? AND name = ?', [tab, name]);
  return row && openEntry(context, row);
}

/** Removes a row and gives its value: of several callers one gets it. */
export async function takeEntry(
  context: VaultContext,
  session: SqlSession,
  tab: string,
  name: Uint8Array,
): Promise<Uint8Array | undefined> {
  const [row] = await session.all('SELECT * FROM entries WHERE tab = ? AND name = ?', [tab, name]);
  if (row === undefined) return undefined;
  const value = await openEntry(context, row);
  await deleteEntry(session, tab, name);
  return value;
}

export async function deleteEntry(session: SqlSession, tab: string, name: Uint8Array): Promise<void> {
  await session.run('DELETE FROM entries WHERE tab = ? AND name = ?', [tab, name]);
}

export const LIST_OF_SUBJECT = 'SELECT * FROM entries WHERE subject = ? AND tab = ? ORDER BY name';

/** A patient's rows of one table. */
export async function listEntries(
  context: VaultContext,
  session: SqlReader,
  tab: string,
  subject: string,
): Promise<Uint8Array[]> {
  const rows = await session.all(LIST_OF_SUBJECT, [subjectName(context.naming, subject), tab]);
  const values: Uint8Array[] = [];
  for (const row of rows) values.push(await openEntry(context, row));
  return values;
}

/** Throws AppError `damaged` when a byte of the row has changed. */
export async function openEntry(context: VaultContext, row: SqlRow): Promise<Uint8Array> {
  const keyId = row.key_id as number | null;
  const owner = keyId === null ? undefined : await context.keys.byId(context.store.reader, Number(keyId));
  const value = openBox(owner?.key ?? context.keyring.table, row.value as Uint8Array, entryBinding(row));
  if (value === undefined)
    throw new AppError(
      'damaged',
      `A stored value is damaged (${describeEntry(row)}). Run the audit and restore the last backup.`,
    );
  return value;
}

export function describeEntry(row: SqlRow): string {
  return `entries ${String(row.tab)} ${toHex(row.name as Uint8Array)}`;
}

export function entryBinding(row: SqlRow, keyId = row.key_id as number | null): Uint8Array {
  const expires = row.expires_ms === null ? null : Number(row.expires_ms);
  return bindingOf(
    String(row.tab),
    row.name as Uint8Array,
    row.subject as Uint8Array | null,
    expires,
    keyId === null ? null : Number(keyId),
  );
}

function bindingOf(
  tab: string,
  name: Uint8Array,
  subject: Uint8Array | null,
  expiresAtMs: number | null,
  keyId: number | null,
): Uint8Array {
  const parts = [tab, toHex(name), subject === null ? null : toHex(subject), expiresAtMs, keyId];
  return utf8(`careledger/vault-entry/v1\0${JSON.stringify(parts)}`);
}
