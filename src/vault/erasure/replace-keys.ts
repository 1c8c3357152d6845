import { AppError } from '../../shared/index.ts';
import { describeGrant, grantBinding, listStanding, sealAndStore } from '../grants/grant-rows.ts';
import type { CategoryKey, StagedKeys } from '../keys/category-keys.ts';
import { openBox, sealBox } from '../keys/sealed-box.ts';
import {
  damagedRecord,
  openMeta,
  placeOf,
  sealMeta,
  unwrapDataKey,
  wrapDataKey,
} from '../records/record-row.ts';
import type { SqlReader, SqlRow, SqlSession } from '../storage/sql-store.ts';
import { describeEntry, entryBinding } from '../tables/entries.ts';
import type { VaultContext } from '../vault-context.ts';

const PAGE = 500;

/**
 * Moves all that still hangs on these keys of a subject to new ones, then deletes the old: what was erased under them
 * cannot be opened by anyone who kept an old page of the database.
 */
export async function replaceKeys(
  context: VaultContext,
  session: SqlSession,
  subject: Uint8Array,
  patientId: string | null,
  keyIds: readonly number[],
  staged: StagedKeys,
): Promise<void> {
  const renewed = new Map<number, CategoryKey>();
  for (const keyId of keyIds) {
    const [row] = await session.all('SELECT * FROM category_keys WHERE key_id = ?', [keyId]);
    if (row === undefined || row.wrapped === null) continue;
    const old = context.keys.decode(row);
    renewed.set(keyId, await context.keys.startEpoch(session, subject, old.keyClass, true, staged));
  }
  await moveRecords(context, session, subject, renewed);
  for (const table of BOXED_TABLES) await moveBoxes(context, session, table, subject, renewed);
  if (patientId !== null) await shareRenewed(context, session, staged, patientId, [...renewed.values()]);
  for (const keyId of keyIds) {
    await session.run('DELETE FROM category_keys WHERE key_id = ?', [keyId]);
    await session.run('DELETE FROM grants WHERE subject = ? AND key_id = ?', [subject, keyId]);
  }
}

async function moveRecords(
  context: VaultContext,
  session: SqlSession,
  subject: Uint8Array,
  renewed: ReadonlyMap<number, CategoryKey>,
): Promise<void> {
  let after = 0;
  for (;;) {
    const rows = await session.all(
      'SELECT * FROM records WHERE subject = ? AND rid > ? ORDER BY rid LIMIT ?',
      [subject, after, PAGE],
    );
    for (const row of rows) {
      after = Number(row.rid);
      const data = renewed.get(Number(row.key_id));
      const meta = renewed.get(Number(row.meta_key_id));
      if (data === undefined && meta === undefined) continue;
      await session.run(
        'UPDATE records SET key_id = ?, wrapped = ?, meta_key_id = ?, meta = ? WHERE rid = ?',
        [
          data?.keyId ?? (row.key_id as number),
          data === undefined ? (row.wrapped as Uint8Array) : await movedDataKey(context, session, row, data),
          meta?.keyId ?? (row.meta_key_id as number),
          meta === undefined ? (row.meta as Uint8Array) : await movedMeta(context, session, row, meta),
          after,
        ],
      );
    }
    if (rows.length < PAGE) return;
  }
}

async function movedDataKey(
  context: VaultContext,
  session: SqlReader,
  row: SqlRow,
  to: CategoryKey,
): Promise<Uint8Array> {
  const place = placeOf(row);
  const keyAndSalt = unwrapDataKey(
    row.wrapped as Uint8Array,
    place,
    await context.keys.byId(session, Number(row.key_id)),
  );
  if (keyAndSalt === undefined) throw damagedRecord(place, 'its data key does not open');
  return wrapDataKey(keyAndSalt, place, to, context.random);
}

async function movedMeta(
  context: VaultContext,
  session: SqlReader,
  row: SqlRow,
  to: CategoryKey,
): Promise<Uint8Array> {
  const place = placeOf(row);
  const meta = openMeta(
    row.meta as Uint8Array,
    place,
    await context.keys.byId(session, Number(row.meta_key_id)),
  );
  if (meta === undefined) throw damagedRecord(place, 'its metadata does not open');
  return sealMeta(meta, place, to, context.random);
}

/** A table whose rows hold one box under one of the subject's keys. */
type BoxedTable = {
  readonly name: string;
  readonly keyColumn: string;
  readonly boxColumn: string;
  readonly primaryKey: readonly string[];
  readonly binding: (row: SqlRow, keyId?: number) => Uint8Array;
  readonly describe: (row: SqlRow) => string;
};

const BOXED_TABLES: readonly BoxedTable[] = [
  {
    name: 'entries',
    keyColumn: 'key_id',
    boxColumn: 'value',
    primaryKey: ['tab', 'name'],
    binding: entryBinding,
    describe: describeEntry,
  },
  {
    name: 'grants',
    keyColumn: 'info_key_id',
    boxColumn: 'info',
    primaryKey: ['subject', 'grantee', 'category', 'key_id'],
    binding: grantBinding,
    describe: describeGrant,
  },
];

async function moveBoxes(
  context: VaultContext,
  session: SqlSession,
  table: BoxedTable,
  subject: Uint8Array,
  renewed: ReadonlyMap<number, CategoryKey>,
): Promise<void> {
  const { name, keyColumn, boxColumn, primaryKey, binding, describe } = table;
  const place = primaryKey.map((column) => `${column} = ?`).join(' AND ');
  for (const row of await session.all(`SELECT * FROM ${name} WHERE subject = ?`, [subject])) {
    const to = renewed.get(Number(row[keyColumn]));
    if (to === undefined) continue;
    const from = await context.keys.byId(session, Number(row[keyColumn]));
    const box = reseal(context, row[boxColumn] as Uint8Array, from, binding(row), to, binding(row, to.keyId));
    if (box === undefined)
      throw new AppError(
        'damaged',
        `A stored value is damaged (${describe(row)}). Run the audit before you erase.`,
      );
    await session.run(`UPDATE ${name} SET ${keyColumn} = ?, ${boxColumn} = ? WHERE ${place}`, [
      to.keyId,
      box,
      ...primaryKey.map((column) => row[column] ?? null),
    ]);
  }
}

/** Those who hold the keys of a category elsewhere get the new one, or they could not read what remains. */
async function shareRenewed(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  patientId: string,
  renewed: readonly CategoryKey[],
): Promise<void> {
  const standing = await listStanding(context, session, patientId, staged);
  for (const key of renewed) {
    for (const grant of standing) {
      if (grant.category === key.keyClass)
        await sealAndStore(context, session, staged, patientId, grant, key);
    }
  }
}

function reseal(
  context: VaultContext,
  box: Uint8Array,
  from: CategoryKey,
  fromBinding: Uint8Array,
  to: CategoryKey,
  toBinding: Uint8Array,
): Uint8Array | undefined {
  const value = from.key && openBox(from.key, box, fromBinding);
  return value && to.key && sealBox(to.key, value, toBinding, context.random);
}
