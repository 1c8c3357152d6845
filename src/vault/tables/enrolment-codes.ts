import { fromUtf8, utf8 } from '../../shared/index.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import { subjectName, type VaultContext } from '../vault-context.ts';
import { bindingOfPatient, putBinding } from './bindings.ts';
import { dropWaiting } from './consents.ts';
import { getEntry, putEntry, takeEntry, writeWithKeys } from './entries.ts';
import type { EnrolmentCodes } from './tables.ts';

const TAB = 'enrolment-code';

type Stored = { readonly patientId: string; readonly expiresAtMs: number };

export function createEnrolmentCodes(context: VaultContext): EnrolmentCodes {
  const nameOf = (code: string) => context.naming(TAB, code);
  return {
    issue: async ({ code, patientId, expiresAtMs }) => {
      const value = utf8(JSON.stringify({ patientId, expiresAtMs } satisfies Stored));
      const entry = { tab: TAB, name: nameOf(code), subject: patientId, expiresAtMs, value };
      await writeWithKeys(context, async (session, staged) => {
        await session.run('DELETE FROM entries WHERE tab = ? AND expires_ms <= ?', [TAB, context.now()]);
        await deleteCodesOf(context, session, patientId);
        await putEntry(context, session, staged, entry, 'replace');
      });
    },
    peek: async (code, nowMs) =>
      unexpired(await getEntry(context, context.store.reader, TAB, nameOf(code)), nowMs),
    redeem: (code, nowMs, wallet, isOnLedger) =>
      writeWithKeys(context, async (session, staged) => {
        const redeemed = unexpired(await takeEntry(context, session, TAB, nameOf(code)), nowMs);
        if (redeemed === undefined) return undefined;
        const { patientId } = redeemed;
        await deleteCodesOf(context, session, patientId);
        const before = await bindingOfPatient(context, session, patientId);
        if (before !== undefined && before.accountId !== wallet.accountId)
          await dropWaiting(context, session, patientId, isOnLedger);
        await putBinding(context, session, staged, { ...redeemed, ...wallet });
        return redeemed;
      }),
  };
}

/** One code a patient: a letter that was lost is worth nothing once another was asked for, or used. */
async function deleteCodesOf(context: VaultContext, session: SqlSession, patientId: string): Promise<void> {
  const subject = subjectName(context.naming, patientId);
  await session.run('DELETE FROM entries WHERE tab = ? AND subject = ?', [TAB, subject]);
}

function unexpired(value: Uint8Array | undefined, nowMs: number): { readonly patientId: string } | undefined {
  if (value === undefined) return undefined;
  const stored = JSON.parse(fromUtf8(value) ?? '') as Stored;
  return nowMs < stored.expiresAtMs ? { patientId: stored.patientId } : undefined;
}
