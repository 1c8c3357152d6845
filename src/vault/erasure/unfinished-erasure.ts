import { AppError, sha256, toHex } from '../../shared/index.ts';
import type { AuditFinding } from '../audit/finding.ts';
import type { KeyProtector } from '../keys/key-protector.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { refuseOtherKeyring } from './stored-keyring.ts';

/** A row here says that the database has renewed its root, and the old keys are still to be destroyed. */
const SLOT = 2;
const PROBE_CONTEXT = 'careledger/unfinished-erasure-backups/v1';

/** `keys-left`: old keys are there still. `keys-destroyed`: only their pages are left to be cleaned. */
type Unfinished = 'none' | 'keys-left' | 'keys-destroyed';

/**
 * Says in the database that old keys are still to be destroyed. Nobody who can only write there may have the keys of the
 * backups destroyed: it is wrapped for this one root, and holds what the backup keys of now alone can open. One that is
 * played back later finds those gone.
 */
export async function noteUnfinished(
  session: SqlSession,
  protector: KeyProtector,
  root: Uint8Array,
): Promise<void> {
  const probe = await protector.wrap('backup', new Uint8Array([1]), PROBE_CONTEXT);
  const wrapped = await protector.wrap('root', probe, contextOf(root));
  await session.run(
    'INSERT INTO keyring (slot, wrapped) VALUES (?, ?) ON CONFLICT (slot) DO UPDATE SET wrapped = excluded.wrapped',
    [SLOT, wrapped],
  );
}

export async function forgetUnfinished(session: SqlSession): Promise<void> {
  await session.run('DELETE FROM keyring WHERE slot = ?', [SLOT]);
}

/** Call within `context.erasures`. Throws AppError `damaged` when somebody else wrote it. */
export async function readUnfinished(context: VaultContext, protector: KeyProtector): Promise<Unfinished> {
  const marker = await loadMarker(context.store.reader);
  if (marker === undefined) return 'none';
  await refuseOtherKeyring(context, protector);
  const ofThisRoot = protector.unwrap('root', marker, contextOf(context.keyring.root));
  const probe = await unless(['damaged', 'erased', 'not-found'], ofThisRoot);
  if (probe === undefined) throw forged();
  const left = await unless(['erased'], protector.unwrap('backup', probe, PROBE_CONTEXT));
  return left === undefined ? 'keys-destroyed' : 'keys-left';
}

/** For an audit, which finishes nothing. */
export async function* auditUnfinished(
  context: VaultContext,
  protector: KeyProtector,
): AsyncIterable<AuditFinding> {
  const place = { kind: 'key', where: `keyring ${SLOT}` } as const;
  try {
    if ((await context.erasures(() => readUnfinished(context, protector))) === 'none') return;
    const what = 'An erasure was cut short before it had destroyed the old keys. The next start finishes it.';
    yield { ...place, what, severity: 'note' };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    yield { ...place, what: error.message };
  }
}

async function loadMarker(session: SqlReader): Promise<Uint8Array | undefined> {
  const [row] = await session.all('SELECT wrapped FROM keyring WHERE slot = ?', [SLOT]);
  return row?.wrapped as Uint8Array | undefined;
}

function contextOf(root: Uint8Array): string {
  return `careledger/unfinished-erasure/v1\0${toHex(sha256(root))}`;
}

/** undefined where it fails with one of these codes. */
async function unless(
  codes: readonly string[],
  unwrapping: Promise<Uint8Array>,
): Promise<Uint8Array | undefined> {
  try {
    return await unwrapping;
  } catch (error) {
    if (error instanceof AppError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

function forged(): AppError {
  return new AppError(
    'damaged',
    'The database says that an erasure was cut short, and this vault did not write that. No key was destroyed. Run the audit, and restore the last backup to a new folder.',
  );
}
