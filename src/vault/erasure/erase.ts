import { AppError } from '../../shared/index.ts';
import { keyClassCode, type StagedKeys } from '../keys/category-keys.ts';
import type { KeyProtector } from '../keys/key-protector.ts';
import type { Keyring } from '../keys/keyring.ts';
import { metaIfWhole } from '../records/meta-if-whole.ts';
import { deleteTokens } from '../records/write-records.ts';
import type { SqlReader, SqlRow, SqlSession } from '../storage/sql-store.ts';
import { accountsOf } from '../tables/bindings.ts';
import { noteUnbound } from '../tables/pseudonyms.ts';
import { noteUsedNumbers } from '../tables/used-numbers.ts';
import { recordName, subjectName, type VaultContext } from '../vault-context.ts';
import { rememberDestroyed } from './destroyed-keys.ts';
import { rememberErased } from './erased-commitments.ts';
import { type EraseTarget, type ErasureRecord, signErasure, type VaultSigner } from './erasure-record.ts';
import { destroyOldKeys, finishErasure, renewRoot } from './renew-root.ts';
import { replaceKeys } from './replace-keys.ts';
import { refuseOtherKeyring } from './stored-keyring.ts';
import { noteUnknown } from './unknown-versions.ts';

/** Not the content: of a whole patient it may be more than the memory holds. */
const COLUMNS = 'rid, rkey, version, resource_type, anchored, subject, key_id, meta_key_id, meta, tokens';

/** Erases and answers with the signed record, once no key that opened the erased is left anywhere. */
export async function erase(
  context: VaultContext,
  target: EraseTarget,
  protector: KeyProtector,
  signer: VaultSigner,
): Promise<ErasureRecord> {
  // Who tries again after one that was cut short hears of it when the keys are destroyed, not before.
  await finishErasure(context, protector);
  const staged: StagedKeys = new Map();
  const scope = 'subject' in target ? 'subject' : 'record';
  const erasedAtMs = context.now();
  let commitments: Uint8Array[] = [];
  await underNewRoot(context, protector, async (session) => {
    const pseudonym = 'subject' in target ? await endPseudonyms(context, session, target.subject) : null;
    commitments =
      'subject' in target
        ? await eraseSubject(context, session, target)
        : await eraseRecord(context, session, target, staged);
    await rememberErased(context, session, { scope, erasedAtMs, pseudonym, commitments });
  });
  return signErasure(scope, commitments, erasedAtMs, signer);
}

/** From here on it is right that nobody is bound to the patient's pseudonyms. Gives the present one. */
async function endPseudonyms(
  context: VaultContext,
  session: SqlSession,
  patientId: string,
): Promise<string | null> {
  const { present, former } = await accountsOf(context, session, patientId);
  for (const account of present === undefined ? former : [present, ...former])
    await noteUnbound(context, session, account);
  return present ?? null;
}

/** Wraps every category key anew without erasing anything. */
export async function rotateRoot(context: VaultContext, protector: KeyProtector): Promise<void> {
  await underNewRoot(context, protector, async () => undefined);
}

/** In one transaction: the work, and every category key under a new root. Then the old keys are destroyed. */
function underNewRoot(
  context: VaultContext,
  protector: KeyProtector,
  work: (session: SqlSession) => Promise<void>,
): Promise<void> {
  return context.erasures(async () => {
    await refuseOtherKeyring(context, protector);
    let keyring: Keyring = context.keyring;
    await context.store.write(
      async (session) => {
        await work(session);
        await noteUsedNumbers(context, session);
        keyring = await renewRoot(context, session, protector);
      },
      () => adoptKeyring(context, keyring),
    );
    await destroyOldKeys(context, protector);
  });
}

function adoptKeyring(context: VaultContext, keyring: Keyring): void {
  context.keyring.root.fill(0);
  context.keyring = keyring;
  context.keys.reset(keyring);
  context.handles.clear();
}

async function eraseSubject(
  context: VaultContext,
  session: SqlSession,
  target: { readonly subject: string; readonly accessLog?: boolean },
): Promise<Uint8Array[]> {
  const subject = subjectName(context.naming, target.subject);
  const rows = await session.all(`SELECT ${COLUMNS} FROM records WHERE subject = ?`, [subject]);
  const commitments = await deleteRecords(context, session, rows);
  let removed = rows.length;
  for (const table of ['grants', 'entries'])
    removed += await session.run(`DELETE FROM ${table} WHERE subject = ?`, [subject]);
  removed += await deleteKeys(context, session, subject, target.accessLog !== false);
  if (removed === 0) throw new AppError('not-found', 'Nothing is stored about this patient. Check the id.');
  return commitments;
}

async function deleteKeys(
  context: VaultContext,
  session: SqlSession,
  subject: Uint8Array,
  withAudit: boolean,
): Promise<number> {
  const audit = keyClassCode('audit');
  const ofSubject = 'FROM category_keys WHERE subject = ? AND category';
  const removed = await session.run(`DELETE ${ofSubject} <> ?`, [subject, audit]);
  if (!withAudit) return removed;
  const rows = await session.all(`SELECT key_id ${ofSubject} = ?`, [subject, audit]);
  const keyIds = rows.map((row) => Number(row.key_id));
  await rememberDestroyed(context, session, keyIds);
  return removed + (await session.run(`DELETE ${ofSubject} = ?`, [subject, audit]));
}

async function eraseRecord(
  context: VaultContext,
  session: SqlSession,
  target: { readonly resourceType: string; readonly id: string },
  staged: StagedKeys,
): Promise<Uint8Array[]> {
  const rows = await session.all(`SELECT ${COLUMNS} FROM records WHERE rkey = ?`, [
    recordName(context.naming, target.resourceType, target.id),
  ]);
  if (rows.length === 0) throw new AppError('not-found', 'There is no such record. Check type and id.');
  const owners = await ownersOf(context, session, rows);
  const commitments = await deleteRecords(context, session, rows);
  for (const { subject, patientId, keyIds } of owners)
    await replaceKeys(context, session, subject, patientId, keyIds, staged);
  return commitments;
}

type Owner = { readonly subject: Uint8Array; readonly patientId: string | null; readonly keyIds: number[] };

/** Whose keys the versions are under; a record can have moved from one compartment to another. */
async function ownersOf(
  context: VaultContext,
  session: SqlReader,
  rows: readonly SqlRow[],
): Promise<Owner[]> {
  const owners = new Map<string, Owner>();
  for (const row of rows) {
    const subject = row.subject as Uint8Array;
    const meta = await metaIfWhole(context, session, row);
    const name = Buffer.from(subject).toString('hex');
    const owner = owners.get(name) ?? { subject, patientId: meta?.subject ?? null, keyIds: [] };
    for (const keyId of [Number(row.key_id), Number(row.meta_key_id)])
      if (!owner.keyIds.includes(keyId)) owner.keyIds.push(keyId);
    owners.set(name, owner);
  }
  return [...owners.values()];
}

async function deleteRecords(
  context: VaultContext,
  session: SqlSession,
  rows: readonly SqlRow[],
): Promise<Uint8Array[]> {
  const commitments: Uint8Array[] = [];
  let unknown = 0;
  for (const row of rows) {
    const meta = await metaIfWhole(context, session, row);
    if (meta !== undefined) commitments.push(Uint8Array.from(meta.commitment));
    else if (Number(row.anchored) === 1) unknown += 1;
    await deleteTokens(session, Number(row.rid), row.tokens as Uint8Array);
    await session.run('DELETE FROM records WHERE rid = ?', [Number(row.rid)]);
  }
  await noteUnknown(context, session, unknown);
  return commitments;
}
