import { AppError, fromBase64, fromUtf8, toBase64, utf8 } from '../../shared/index.ts';
import type { StagedKeys } from '../keys/category-keys.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { deleteEntry, getEntry, listEntries, putEntry, writeWithKeys } from './entries.ts';
import { forgetUnbound } from './pseudonyms.ts';
import type { PatientBinding, PatientBindings } from './tables.ts';

const BY_PATIENT = 'binding-by-patient';
const BY_ACCOUNT = 'binding-by-account';
/** The patient of an account that another has replaced. Nobody is let in by it. */
const FORMER = 'binding-former';

export function createBindings(context: VaultContext): PatientBindings {
  const { reader } = context.store;
  return {
    put: (binding) =>
      writeWithKeys(context, (session, staged) => putBinding(context, session, staged, binding)),
    byPatient: (patientId) => bindingOfPatient(context, reader, patientId),
    byAccount: (accountId) => bindingIn(context, reader, BY_ACCOUNT, accountId),
    formerAccounts: async (patientId) => (await accountsOf(context, reader, patientId)).former,
    async patientEver(accountId) {
      const binding = await bindingIn(context, reader, BY_ACCOUNT, accountId);
      return (binding ?? (await bindingIn(context, reader, FORMER, accountId)))?.patientId;
    },
  };
}

/** Every account that is, or was, bound to a patient. */
export async function accountsOf(
  context: VaultContext,
  session: SqlReader,
  patientId: string,
): Promise<{ present: string | undefined; former: string[] }> {
  const values = await listEntries(context, session, FORMER, patientId);
  return {
    present: (await bindingOfPatient(context, session, patientId))?.accountId,
    former: values.flatMap((value) => decode(value)?.accountId ?? []),
  };
}

export function bindingOfPatient(
  context: VaultContext,
  session: SqlReader,
  patientId: string,
): Promise<PatientBinding | undefined> {
  return bindingIn(context, session, BY_PATIENT, patientId);
}

async function bindingIn(
  context: VaultContext,
  session: SqlReader,
  tab: string,
  name: string,
): Promise<PatientBinding | undefined> {
  return decode(await getEntry(context, session, tab, context.naming(tab, name)));
}

export async function putBinding(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  binding: PatientBinding,
): Promise<void> {
  const { patientId, accountId } = binding;
  const put = async (tab: string, name: string, stored: PatientBinding): Promise<void> => {
    const row = { tab, name: context.naming(tab, name), subject: patientId, expiresAtMs: null };
    await putEntry(context, session, staged, { ...row, value: encode(stored) }, 'replace');
  };
  await refuseAnotherPatients(context, session, binding);
  const before = await bindingOfPatient(context, session, patientId);
  if (before !== undefined && before.accountId !== accountId) {
    await deleteEntry(session, BY_ACCOUNT, context.naming(BY_ACCOUNT, before.accountId));
    await put(FORMER, before.accountId, before);
  }
  await deleteEntry(session, FORMER, context.naming(FORMER, accountId));
  await forgetUnbound(context, session, accountId);
  await put(BY_PATIENT, patientId, binding);
  await put(BY_ACCOUNT, accountId, binding);
}

/** Also not one that was another patient's once: what was granted under it is that patient's. */
async function refuseAnotherPatients(
  context: VaultContext,
  session: SqlSession,
  { patientId, accountId }: PatientBinding,
): Promise<void> {
  for (const tab of [BY_ACCOUNT, FORMER]) {
    const taken = await bindingIn(context, session, tab, accountId);
    if (taken === undefined || taken.patientId === patientId) continue;
    throw new AppError(
      'conflict',
      'This account is bound to another patient, or was. Enrol with a key of its own.',
    );
  }
}

function encode(binding: PatientBinding): Uint8Array {
  return utf8(JSON.stringify([binding.patientId, binding.accountId, toBase64(binding.sealingPublicKey)]));
}

function decode(value: Uint8Array | undefined): PatientBinding | undefined {
  if (value === undefined) return undefined;
  const [patientId, accountId, key] = JSON.parse(fromUtf8(value) ?? '') as [string, string, string];
  return { patientId, accountId, sealingPublicKey: fromBase64(key) ?? new Uint8Array(0) };
}
