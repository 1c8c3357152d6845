import { fromUtf8, utf8 } from '../../shared/index.ts';
import type { StagedKeys } from '../keys/category-keys.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { getEntry, putEntry, writeWithKeys } from './entries.ts';
import type { GrantedConsent, GrantedConsents } from './tables.ts';

const GRANTED = 'granted-consents';
const HEIGHT = 'granted-consents-height';
/** Ids in a row: however many consents a pseudonym grants, no row grows too large to be written. */
const IDS_IN_PAGE = 256;

type Page = { readonly name: Uint8Array; readonly ids: readonly string[] };

export function createGrantedConsents(context: VaultContext): GrantedConsents {
  const heightName = () => context.naming(HEIGHT);
  return {
    add: (grants, height) =>
      writeWithKeys(context, async (session, staged) => {
        for (const grant of grants) await addGrant(context, session, staged, grant);
        const value = utf8(String(height));
        await putRow(context, session, staged, { tab: HEIGHT, name: heightName(), value });
      }),
    of: async (account) =>
      (await pagesOf(context, context.store.reader, account)).flatMap(({ ids }) => [...ids]),
    height: async () =>
      Number(fromUtf8((await getEntry(context, context.store.reader, HEIGHT, heightName())) ?? utf8('0'))),
  };
}

async function addGrant(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  { account, consentId }: GrantedConsent,
): Promise<void> {
  const pages = await pagesOf(context, session, account);
  if (pages.some(({ ids }) => ids.includes(consentId))) return;
  const { name, ids } = pages.at(-1) as Page;
  await putRow(context, session, staged, {
    tab: GRANTED,
    name,
    value: utf8(JSON.stringify([...ids, consentId])),
  });
}

/** The pages there are; the last has room. */
async function pagesOf(context: VaultContext, session: SqlReader, account: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (;;) {
    const name = context.naming(GRANTED, account, String(pages.length));
    const value = await getEntry(context, session, GRANTED, name);
    const ids = value === undefined ? [] : (JSON.parse(fromUtf8(value) ?? '') as string[]);
    pages.push({ name, ids });
    if (ids.length < IDS_IN_PAGE) return pages;
  }
}

/** Under no patient's key: a pseudonym may be bound to its patient later, and the ledger says all of this to its members. */
async function putRow(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  row: { tab: string; name: Uint8Array; value: Uint8Array },
): Promise<void> {
  await putEntry(context, session, staged, { ...row, subject: null, expiresAtMs: null }, 'replace');
}
