import type { SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { deleteEntry, getEntry, putCommonEntry, takeEntry, writeWithKeys } from './entries.ts';
import type { PatientBindings, Pseudonyms } from './tables.ts';

/** An erasure writes it, and an enrolment that failed: there is none of a patient who is bound, not in an old page either. */
const UNBOUND = 'unbound-pseudonym';
/** Every enrolment writes it for a moment, so that it can be played back later. */
const ANNOUNCED = 'announced-pseudonym';
const NOTHING = new Uint8Array(0);

export function createPseudonyms(context: VaultContext, bindings: PatientBindings): Pseudonyms {
  return {
    announce: async (account) => {
      if ((await bindings.byAccount(account)) !== undefined) return;
      const row = { tab: ANNOUNCED, name: context.naming(ANNOUNCED, account), value: NOTHING };
      await writeWithKeys(context, (session) => putCommonEntry(context, session, row, 'keep'));
    },
    giveUp: (account) =>
      writeWithKeys(context, async (session) => {
        const name = context.naming(ANNOUNCED, account);
        const announced = await takeEntry(context, session, ANNOUNCED, name);
        if (announced !== undefined) await noteUnbound(context, session, account);
      }),
    stateOf: async (account) => {
      if (await isBound(bindings, account)) return 'bound';
      const isNoted = async (tab: string): Promise<boolean> =>
        (await getEntry(context, context.store.reader, tab, context.naming(tab, account))) !== undefined;
      if (await isNoted(UNBOUND)) return 'unbound';
      return (await isNoted(ANNOUNCED)) ? 'announced' : 'lost';
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
  for (const tab of [UNBOUND, ANNOUNCED]) await deleteEntry(session, tab, context.naming(tab, account));
}
