import { AppError } from '../../shared/index.ts';
import type { KeyProtector } from '../keys/key-protector.ts';
import { type Keyring, wrapKeyring } from '../keys/keyring.ts';
import { KEY_BYTES } from '../keys/sealed-box.ts';
import type { SqlRow, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { storeKeyring } from './stored-keyring.ts';
import { forgetUnfinished, noteUnfinished, readUnfinished } from './unfinished-erasure.ts';

const PAGE = 1000;
const REWRAP = 'UPDATE category_keys SET wrapped = ? WHERE key_id = ?';

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
  await rewrapKeys(context, session, keyring.root);
  await protector.rotate('root');
  await storeKeyring(session, await wrapKeyring(protector, keyring));
  await noteUnfinished(session, protector, keyring.root);
  context.keys.expectRoot(keyring.root);
  return keyring;
}

/** A wrapping that opens for nobody stays as it is: it must not keep anybody else from being erased. */
async function rewrapKeys(context: VaultContext, session: SqlSession, root: Uint8Array): Promise<void> {
  const damaged: number[] = [];
  let rewrapped = 0;
  for (let after = 0, rows: SqlRow[] | undefined; rows === undefined || rows.length === PAGE; ) {
    rows = await session.all('SELECT * FROM category_keys WHERE key_id > ? ORDER BY key_id LIMIT ?', [
      after,
      PAGE,
    ]);
    for (const row of rows) {
      after = Number(row.key_id);
      if (row.wrapped === null) continue;
      const wrapped = wrappedUnder(context, root, row);
      if (wrapped === undefined) damaged.push(after);
      else rewrapped += await session.run(REWRAP, [wrapped, after]);
    }
  }
  if (rewrapped === 0 && damaged.length > 0)
    throw new AppError('damaged', 'No key of the vault opens. Run the audit, and restore the last backup.');
  for (const keyId of damaged) context.onDamagedKey(keyId);
}

function wrappedUnder(context: VaultContext, root: Uint8Array, row: SqlRow): Uint8Array | null | undefined {
  try {
    return context.keys.wrapUnder(root, context.keys.decode(row));
  } catch (error) {
    if (error instanceof AppError && error.code === 'damaged') return undefined;
    throw error;
  }
}

/** After the commit: the old root, and the key over every backup taken so far. Repeated at the next start if interrupted. */
export async function destroyOldKeys(context: VaultContext, protector: KeyProtector): Promise<void> {
  // Only the newest version stays, and it may be of a later erasure that failed: the database has to be under it first.
  const wrapped = await wrapKeyring(protector, context.keyring);
  await context.store.write(async (session) => {
    await storeKeyring(session, wrapped);
    await noteUnfinished(session, protector, context.keyring.root);
  });
  await protector.destroyOlder('root');
  await protector.rotate('backup');
  await protector.destroyOlder('backup');
  await cleanOldPages(context);
}

async function cleanOldPages(context: VaultContext): Promise<void> {
  await context.store.scrub();
  await context.store.write(forgetUnfinished);
}

/** Finishes an erasure that a crash or a full disk cut short. Throws AppError `damaged` when there was none. */
export function finishErasure(context: VaultContext, protector: KeyProtector): Promise<void> {
  return context.erasures(async () => {
    const unfinished = await readUnfinished(context, protector);
    if (unfinished === 'keys-left') await destroyOldKeys(context, protector);
    if (unfinished === 'keys-destroyed') await cleanOldPages(context);
  });
}
