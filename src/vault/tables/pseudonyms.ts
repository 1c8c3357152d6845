import type { SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { deleteEntry, getEntry, putCommonEntry, writeWithKeys } from './entries.ts';
import type { PatientBindings, Pseudonyms } from './tables.ts';

const UNBOUND = 'unbound-pseudonym';
const NOTHING = new Uint8Array(0);

export function createPseudonyms(context: VaultContext, bindings: PatientBindings): Pseudonyms {
  return {
    announce: async (account) => {
      if ((await bindings.byAccount(account)) !== undefined) return;
      await writeWithKeys(context, (session) => noteUnbound(context, session, account));
    },
    stateOf: async (account) => {
      if (await isBound(bindings, account)) return 'bound';
      const name = context.naming(UNBOUND, account);
      const noted = await getEntry(context, context.store.reader, UNBOUND, name);
      return noted === undefined ? 'lost' : 'unbound';
    },
  };
}

/** In both directions: what was granted is looked up from the patient, and who signs from the account. */
async function isBound(bindings: PatientBindings, account: string): Promise<boolean> {
  const patientId = await bindings.patientEver(account);
  if (patientId === undefined) return false;
  const present = await bindings.byPatient(patientId);
  return present?.accountId === account || (await bindings.formerAccounts(patientId)).includes(account);
}

/** That nobody is bound to it is right. Under no patient's key, and with nothing in it that tells whose it was. */
export async function noteUnbound(
  context: VaultContext,
  session: SqlSession,
  account: string,
): Promise<void> {
  const name = context.naming(UNBOUND, account);
  await putCommonEntry(context, session, { tab: UNBOUND, name, value: NOTHING }, 'keep');
}

export async function forgetUnbound(
  context: VaultContext,
  session: SqlSession,
  account: string,
): Promise<void> {
  await deleteEntry(session, UNBOUND, context.naming(UNBOUND, account));
}
