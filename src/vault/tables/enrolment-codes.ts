import { fromUtf8, utf8 } from '../../shared/index.ts';
import type { VaultContext } from '../vault-context.ts';
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
        await putEntry(context, session, staged, entry, 'replace');
      });
    },
    peek: async (code, nowMs) =>
      unexpired(await getEntry(context, context.store.reader, TAB, nameOf(code)), nowMs),
    redeem: async (code, nowMs) => {
      const value = await context.store.write((session) => takeEntry(context, session, TAB, nameOf(code)));
      return unexpired(value, nowMs);
    },
  };
}

function unexpired(value: Uint8Array | undefined, nowMs: number): { readonly patientId: string } | undefined {
  if (value === undefined) return undefined;
  const stored = JSON.parse(fromUtf8(value) ?? '') as Stored;
  return nowMs < stored.expiresAtMs ? { patientId: stored.patientId } : undefined;
}
