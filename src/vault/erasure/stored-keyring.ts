import { AppError, equalBytes } from '../../shared/index.ts';
import type { KeyProtector } from '../keys/key-protector.ts';
import { unwrapKeyring } from '../keys/keyring.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';

const SLOT = 1;

export async function storeKeyring(session: SqlSession, wrapped: Uint8Array): Promise<void> {
  await session.run(
    'INSERT INTO keyring (slot, wrapped) VALUES (?, ?) ON CONFLICT (slot) DO UPDATE SET wrapped = excluded.wrapped',
    [SLOT, wrapped],
  );
}

export async function loadKeyring(session: SqlReader): Promise<Uint8Array | undefined> {
  const [row] = await session.all('SELECT wrapped FROM keyring WHERE slot = ?', [SLOT]);
  return row?.wrapped as Uint8Array | undefined;
}

/**
 * Before keys are destroyed: where the database is under another root than this process works with, the one that all hangs
 * on would be among them.
 */
export async function refuseOtherKeyring(context: VaultContext, protector: KeyProtector): Promise<void> {
  const wrapped = await loadKeyring(context.store.reader);
  const stored = await unwrapKeyring(protector, wrapped ?? new Uint8Array(0));
  const isSame = equalBytes(stored.root, context.keyring.root);
  stored.root.fill(0);
  if (!isSame)
    throw new AppError(
      'damaged',
      'The database is under another root key than this node works with. Nothing was erased. Restart the node, and run the audit.',
    );
}
