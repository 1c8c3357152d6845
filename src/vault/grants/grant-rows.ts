import { AppError, fromBase64, fromUtf8, toBase64, toHex, utf8 } from '../../shared/index.ts';
import type { Category } from '../category.ts';
import { type CategoryKey, keyClassCode, keyClassOf, type StagedKeys } from '../keys/category-keys.ts';
import type { SealedKey } from '../keys/grants.ts';
import { sealKeyTo } from '../keys/hpke.ts';
import { openBox, sealBox } from '../keys/sealed-box.ts';
import type { SqlReader, SqlRow, SqlSession } from '../storage/sql-store.ts';
import { subjectName, type VaultContext } from '../vault-context.ts';

/** The row with this number in place of a key says that a grant stands; the others each hold one sealed key. */
export const STANDING = 0;

export type StandingGrant = {
  readonly category: Category;
  readonly grantee: string;
  readonly publicKey: Uint8Array;
};

const UPSERT = `INSERT INTO grants (subject, grantee, category, key_id, info_key_id, info) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (subject, grantee, category, key_id) DO UPDATE SET info_key_id = excluded.info_key_id, info = excluded.info`;

type Info = readonly [subject: string, grantee: string, epoch: number, first: string, second: string];

/** Writes down that a grantee is to get the keys of a category, now and after each new epoch. */
export async function putStanding(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  subject: string,
  grant: StandingGrant,
): Promise<void> {
  const info: Info = [subject, grant.grantee, 0, toBase64(grant.publicKey), ''];
  await putRow(context, session, staged, subject, grant.grantee, grant.category, STANDING, info);
}

/** Seals a key to a grantee and stores it. */
export async function sealAndStore(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  subject: string,
  grant: StandingGrant,
  key: CategoryKey,
): Promise<SealedKey> {
  if (key.key === undefined)
    throw new AppError(
      'record-sealed',
      'The custodian has no copy of this key; only the patient can share it.',
    );
  const scope = { subject, category: grant.category, epoch: key.epoch, grantee: grant.grantee };
  const sealed = await sealKeyTo(grant.publicKey, key.key, scope);
  const info: Info = [
    subject,
    grant.grantee,
    key.epoch,
    toBase64(sealed.encapsulated),
    toBase64(sealed.ciphertext),
  ];
  await putRow(context, session, staged, subject, grant.grantee, grant.category, key.keyId, info);
  return { ...scope, ...sealed };
}

export async function listSealedKeys(
  context: VaultContext,
  session: SqlReader,
  subject: string,
): Promise<SealedKey[]> {
  const rows = await session.all(
    `SELECT * FROM grants WHERE subject = ? AND key_id <> ${STANDING} ORDER BY key_id`,
    [subjectName(context.naming, subject)],
  );
  const keys: SealedKey[] = [];
  for (const row of rows) keys.push(await toSealedKey(context, row));
  return keys;
}

/** The key with this number as it was sealed to the wallet of its patient. */
export async function sealedKeyOf(
  context: VaultContext,
  session: SqlReader,
  subject: string,
  keyId: number,
): Promise<SealedKey | undefined> {
  const [row] = await session.all('SELECT * FROM grants WHERE subject = ? AND key_id = ?', [
    subjectName(context.naming, subject),
    keyId,
  ]);
  return row && toSealedKey(context, row);
}

async function toSealedKey(context: VaultContext, row: SqlRow): Promise<SealedKey> {
  const [subject, grantee, epoch, encapsulated, ciphertext] = await openInfo(context, row);
  return {
    subject,
    category: categoryOf(row),
    epoch,
    grantee,
    encapsulated: fromBase64(encapsulated) ?? new Uint8Array(0),
    ciphertext: fromBase64(ciphertext) ?? new Uint8Array(0),
  };
}

export async function listStanding(
  context: VaultContext,
  session: SqlReader,
  subject: string,
  staged?: StagedKeys,
): Promise<StandingGrant[]> {
  const rows = await session.all(`SELECT * FROM grants WHERE subject = ? AND key_id = ${STANDING}`, [
    subjectName(context.naming, subject),
  ]);
  const grants: StandingGrant[] = [];
  for (const row of rows) {
    const [, grantee, , publicKey] = await openInfo(context, row, staged);
    grants.push({
      category: categoryOf(row),
      grantee,
      publicKey: fromBase64(publicKey) ?? new Uint8Array(0),
    });
  }
  return grants;
}

/** Throws AppError `damaged`. */
export async function openInfo(context: VaultContext, row: SqlRow, staged?: StagedKeys): Promise<Info> {
  const keyId = Number(row.info_key_id);
  const owner =
    [...(staged?.values() ?? [])].find((key) => key.keyId === keyId) ??
    (await context.keys.byId(context.store.reader, keyId));
  const info = owner.key && openBox(owner.key, row.info as Uint8Array, grantBinding(row));
  if (info === undefined)
    throw new AppError(
      'damaged',
      `A grant is damaged (${describeGrant(row)}). Run the audit and restore the last backup.`,
    );
  return JSON.parse(fromUtf8(info) ?? '[]') as Info;
}

export function describeGrant(row: SqlRow): string {
  return `grants ${toHex(row.subject as Uint8Array)} key ${Number(row.key_id)}`;
}

export function grantBinding(row: SqlRow, infoKeyId = Number(row.info_key_id)): Uint8Array {
  return bindingOf(
    row.subject as Uint8Array,
    row.grantee as Uint8Array,
    Number(row.category),
    Number(row.key_id),
    infoKeyId,
  );
}

export function granteeName(context: VaultContext, grantee: string): Uint8Array {
  return context.naming('grantee', grantee);
}

async function putRow(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  subject: string,
  grantee: string,
  category: Category,
  keyId: number,
  info: Info,
): Promise<void> {
  const name = subjectName(context.naming, subject);
  const owner = await context.keys.ensure(session, name, 'general', staged);
  if (owner.key === undefined) throw new AppError('damaged', 'A general key has no wrapping. Run the audit.');
  const whose = granteeName(context, grantee);
  const associated = bindingOf(name, whose, keyClassCode(category), keyId, owner.keyId);
  const sealed = sealBox(owner.key, utf8(JSON.stringify(info)), associated, context.random);
  await session.run(UPSERT, [name, whose, keyClassCode(category), keyId, owner.keyId, sealed]);
}

function categoryOf(row: SqlRow): Category {
  const keyClass = keyClassOf(Number(row.category));
  if (keyClass === 'audit')
    throw new AppError('damaged', 'A grant has an impossible category. Run the audit.');
  return keyClass;
}

function bindingOf(
  subject: Uint8Array,
  grantee: Uint8Array,
  category: number,
  keyId: number,
  infoKeyId: number,
): Uint8Array {
  return utf8(
    `careledger/vault-grant/v1\0${toHex(subject)}\0${toHex(grantee)}\0${category}\0${keyId}\0${infoKeyId}`,
  );
}
