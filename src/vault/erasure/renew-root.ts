import type { KeyProtector } from '../keys/key-protector.ts';
import { type Keyring, wrapKeyring } from '../keys/keyring.ts';
import { KEY_BYTES } from '../keys/sealed-box.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';

const PAGE = 1000;
const KEYRING_SLOT = 1;
/** A row here says that the database has renewed its root, and the old keys are still to be destroyed. */
const UNFINISHED_SLOT = 2;

export async function storeKeyring(session: SqlSession, wrapped: Uint8Array): Promise<void> {
  await session.run(
    'INSERT INTO keyring (slot, wrapped) VALUES (?, ?) ON CONFLICT (slot) DO UPDATE SET wrapped = excluded.wrapped',
    [KEYRING_SLOT, wrapped],
  );
}

export async function loadKeyring(session: SqlReader): Promise<Uint8Array | undefined> {
  const [row] = await session.all('SELECT wrapped FROM keyring WHERE slot = ?', [KEYRING_SLOT]);
  return row?.wrapped as Uint8Array | undefined;
}

/**
 * Wraps every category key under a new root, inside the transaction that erases. Old pages, logs and copies of the
 * database hold keys only under the old root, which nobody can unwrap once `destroyOldKeys` has run.
 */
export async function renewRoot(
  context: VaultContext,
  session: SqlSession,
  protector: KeyProtector,
): Promise<Keyring> {
  const keyring: Keyring = { ...context.keyring, root: context.random(KEY_BYTES) };
  let after = 0;
  for (;;) {
    const rows = await session.all('SELECT * FROM category_keys WHERE key_id > ? ORDER BY key_id LIMIT ?', [
      after,
      PAGE,
    ]);
    for (const row of rows) {
      after = Number(row.key_id);
      if (row.wrapped === null) continue;
      const wrapped = context.keys.wrapUnder(keyring.root, context.keys.decode(row));
      await session.run('UPDATE category_keys SET wrapped = ? WHERE key_id = ?', [wrapped, after]);
    }
    if (rows.length < PAGE) break;
  }
  await protector.rotate('root');
  await storeKeyring(session, await wrapKeyring(protector, keyring));
  await session.run('INSERT INTO keyring (slot, wrapped) VALUES (?, ?) ON CONFLICT (slot) DO NOTHING', [
    UNFINISHED_SLOT,
    new Uint8Array(0),
  ]);
  return keyring;
}

/** After the commit: the old root, and the key over every backup taken so far. Repeated at the next start if interrupted. */
export async function destroyOldKeys(context: VaultContext, protector: KeyProtector): Promise<void> {
  // Only the newest version stays, and it may be of a later erasure that failed: the database has to be under it first.
  const wrapped = await wrapKeyring(protector, context.keyring);
  await context.store.write((session) => storeKeyring(session, wrapped));
  await protector.destroyOlder('root');
  await protector.rotate('backup');
  await protector.destroyOlder('backup');
  await context.store.scrub();
  await context.store.write((session) =>
    session.run('DELETE FROM keyring WHERE slot = ?', [UNFINISHED_SLOT]),
  );
}

/** Finishes an erasure that a crash or a full disk cut short. */
export function finishErasure(context: VaultContext, protector: KeyProtector): Promise<void> {
  return context.erasures(async () => {
    const rows = await context.store.reader.all('SELECT slot FROM keyring WHERE slot = ?', [UNFINISHED_SLOT]);
    if (rows.length > 0) await destroyOldKeys(context, protector);
  });
}
