import { AppError } from '../../shared/index.ts';
import type { Category } from '../category.ts';
import { keyClassOf, type StagedKeys } from '../keys/category-keys.ts';
import type { Grants } from '../keys/grants.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import { writeWithKeys } from '../tables/entries.ts';
import { subjectName, type VaultContext } from '../vault-context.ts';
import { granteeName, listSealedKeys, listStanding, putStanding, sealAndStore } from './grant-rows.ts';

export function createGrants(context: VaultContext): Grants {
  return {
    grant: ({ subject, ...grant }) =>
      writeWithKeys(context, async (session, staged) => {
        if (grant.category === 'sealed')
          throw new AppError('record-sealed', 'Sealed records are shared by the patient only.');
        const key = await context.keys.ensure(
          session,
          subjectName(context.naming, subject),
          grant.category,
          staged,
        );
        await putStanding(context, session, staged, subject, grant);
        return sealAndStore(context, session, staged, subject, grant, key);
      }),
    list: async (subject, category) => {
      const keys = await listSealedKeys(context, context.store.reader, subject);
      return keys.filter((one) => category === undefined || one.category === category);
    },
    revoke: (subject, grantee) => rotateEpoch(context, subject, { revoked: grantee }),
  };
}

/** New keys for what is written from now on, sealed to every standing grantee but the revoked one. */
export function rotateEpoch(
  context: VaultContext,
  subject: string,
  options: { readonly category?: Category; readonly revoked?: string },
): Promise<void> {
  return writeWithKeys(context, async (session, staged) => {
    const name = subjectName(context.naming, subject);
    if (options.revoked !== undefined) {
      await session.run('DELETE FROM grants WHERE subject = ? AND grantee = ?', [
        name,
        granteeName(context, options.revoked),
      ]);
    }
    const rows = await session.all('SELECT DISTINCT category FROM category_keys WHERE subject = ?', [name]);
    const standing = await listStanding(context, session, subject);
    for (const row of rows) {
      const keyClass = keyClassOf(Number(row.category));
      if (keyClass === 'audit' || keyClass === 'sealed') continue;
      if (options.category !== undefined && keyClass !== options.category) continue;
      const grantees = standing.filter((one) => one.category === keyClass);
      await startEpochFor(context, session, staged, subject, keyClass, grantees);
    }
  });
}

async function startEpochFor(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  subject: string,
  category: Category,
  grantees: Awaited<ReturnType<typeof listStanding>>,
): Promise<void> {
  const key = await context.keys.startEpoch(
    session,
    subjectName(context.naming, subject),
    category,
    true,
    staged,
  );
  for (const grant of grantees) await sealAndStore(context, session, staged, subject, grant, key);
}
