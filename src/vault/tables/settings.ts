import type { VaultContext } from '../vault-context.ts';
import { getEntry, putCommonEntry, writeWithKeys } from './entries.ts';
import type { Settings } from './tables.ts';

const TAB = 'setting';

export function createSettings(context: VaultContext): Settings {
  return {
    get: (name) => getEntry(context, context.store.reader, TAB, context.naming(TAB, name)),
    set: async (name, value) => {
      const entry = { tab: TAB, name: context.naming(TAB, name), value };
      await writeWithKeys(context, (session) => putCommonEntry(context, session, entry, 'replace'));
    },
  };
}
