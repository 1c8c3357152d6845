import type { VaultContext } from '../vault-context.ts';
import { putEntry, writeWithKeys } from './entries.ts';
import type { UsedIdentifiers } from './tables.ts';

const TAB = 'used-identifier';
const NOTHING = new Uint8Array(0);
/** Expired rows go once in so many uses, so that the table stays as small as what is still valid. */
const PURGE_EVERY = 256;

export function createUsedIdentifiers(context: VaultContext): UsedIdentifiers {
  let uses = 0;
  return {
    useOnce: (id, expiresAtMs, nowMs) =>
      writeWithKeys(context, async (session, staged) => {
        const name = context.naming(TAB, id);
        if (uses++ % PURGE_EVERY === 0)
          await session.run('DELETE FROM entries WHERE tab = ? AND expires_ms <= ?', [TAB, nowMs]);
        else
          await session.run('DELETE FROM entries WHERE tab = ? AND name = ? AND expires_ms <= ?', [
            TAB,
            name,
            nowMs,
          ]);
        return putEntry(
          context,
          session,
          staged,
          { tab: TAB, name, subject: null, expiresAtMs, value: NOTHING },
          'keep',
        );
      }),
  };
}
