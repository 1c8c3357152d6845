import { AppError, fromBase64, fromUtf8, toBase64, utf8 } from '../../shared/index.ts';
import type { StagedKeys } from '../keys/category-keys.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { getEntry, putEntry, writeWithKeys } from './entries.ts';
import type { PatientBinding, PatientBindings } from './tables.ts';

const BY_PATIENT = 'binding-by-patient';
const BY_ACCOUNT = 'binding-by-account';

export function createBindings(context: VaultContext): PatientBindings {
  return {
    put: (binding) =>
      writeWithKeys(context, (session, staged) => putBinding(context, session, staged, binding)),
    byPatient: (patientId) => bindingOfPatient(context, context.store.reader, patientId),
    byAccount: (accountId) => bindingOfAccount(context, context.store.reader, accountId),
  };
}

export async function bindingOfPatient(
  context: VaultContext,
  session: SqlReader,
  patientId: string,
): Promise<PatientBinding | undefined> {
  return decode(await getEntry(context, session, BY_PATIENT, context.naming(BY_PATIENT, patientId)));
}

async function bindingOfAccount(
  context: VaultContext,
  session: SqlReader,
  accountId: string,
): Promise<PatientBinding | undefined> {
  return decode(await getEntry(context, session, BY_ACCOUNT, context.naming(BY_ACCOUNT, accountId)));
}

async function putBinding(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  binding: PatientBinding,
): Promise<void> {
  const taken = await bindingOfAccount(context, session, binding.accountId);
  if (taken !== undefined && taken.patientId !== binding.patientId) {
    throw new AppError('conflict', 'This account is bound to another patient. Enrol with a key of its own.');
  }
  const before = await bindingOfPatient(context, session, binding.patientId);
  if (before !== undefined) {
    await session.run('DELETE FROM entries WHERE tab = ? AND name = ?', [
      BY_ACCOUNT,
      context.naming(BY_ACCOUNT, before.accountId),
    ]);
  }
  const value = encode(binding);
  const shared = { subject: binding.patientId, expiresAtMs: null, value };
  await putEntry(
    context,
    session,
    staged,
    { ...shared, tab: BY_PATIENT, name: context.naming(BY_PATIENT, binding.patientId) },
    'replace',
  );
  await putEntry(
    context,
    session,
    staged,
    { ...shared, tab: BY_ACCOUNT, name: context.naming(BY_ACCOUNT, binding.accountId) },
    'replace',
  );
}

function encode(binding: PatientBinding): Uint8Array {
  return utf8(JSON.stringify([binding.patientId, binding.accountId, toBase64(binding.sealingPublicKey)]));
}

function decode(value: Uint8Array | undefined): PatientBinding | undefined {
  if (value === undefined) return undefined;
  const [patientId, accountId, key] = JSON.parse(fromUtf8(value) ?? '') as [string, string, string];
  return { patientId, accountId, sealingPublicKey: fromBase64(key) ?? new Uint8Array(0) };
}
