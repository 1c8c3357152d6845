import { AppError } from '../../shared/index.ts';
import type { CategoryKey, StagedKeys } from '../keys/category-keys.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import { bindingOfPatient } from '../tables/bindings.ts';
import { subjectName, type VaultContext } from '../vault-context.ts';
import { sealAndStore } from './grant-rows.ts';

/**
 * A fresh key for one `sealed` record: sealed to the patient and kept nowhere else. Each such write is an epoch of its
 * own, since nobody here can open the key of the one before.
 */
export async function sealedKeyFor(
  context: VaultContext,
  session: SqlSession,
  patientId: string | null,
  staged: StagedKeys,
): Promise<CategoryKey> {
  const binding = patientId === null ? undefined : await bindingOfPatient(context, session, patientId);
  if (patientId === null || binding === undefined) {
    throw new AppError(
      'record-sealed',
      'A sealed record needs a patient with an enrolled wallet. Enrol the patient first.',
    );
  }
  const key = await context.keys.startEpoch(
    session,
    subjectName(context.naming, patientId),
    'sealed',
    false,
    staged,
  );
  const grant = {
    category: 'sealed',
    grantee: binding.accountId,
    publicKey: binding.sealingPublicKey,
  } as const;
  await sealAndStore(context, session, staged, patientId, grant, key);
  return key;
}
