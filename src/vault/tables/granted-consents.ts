import { fromUtf8, toHex, utf8 } from '../../shared/index.ts';
import { createPause } from '../pause.ts';
import type { SqlReader, SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { getEntry, openEntry, putCommonEntry, writeWithKeys } from './entries.ts';
import type { GrantedConsent, GrantedConsents } from './tables.ts';

const GRANTED = 'granted-consents';
const HEIGHT = 'granted-consents-height';
/** Ids in a row: however many consents a pseudonym grants, no row grows too large to be written. */
const IDS_IN_PAGE = 256;

const ROWS_AT_ONCE = 500;
const SUM_BITS = 128;

type Page = { readonly account: string; readonly ids: readonly string[] };
/** Up to which block, and the sum of all grants: without it a row that is missing would not be missed. */
type State = { readonly height: number; readonly sum: bigint };

export function createGrantedConsents(context: VaultContext): GrantedConsents {
  const { reader } = context.store;
  return {
    add: (grants, height) =>
      writeWithKeys(context, async (session) => {
        let { sum } = await readState(context, session);
        for (const grant of grants)
          if (await addGrant(context, session, grant)) sum = plus(sum, weightOf(context, grant));
        await writeState(context, session, { height, sum });
      }),
    of: async (account) => (await pagesOf(context, reader, account)).flatMap(({ ids }) => [...ids]),
    height: async () => (await readState(context, reader)).height,
    list: async function* () {
      for await (const { account, ids } of allPages(context)) yield { account, consentIds: ids };
    },
    isWhole: async () => (await sumOfRows(context)) === (await readState(context, reader)).sum,
    beginAnew: async () => {
      const sum = await sumOfRows(context);
      await writeWithKeys(context, (session) => writeState(context, session, { height: 0, sum }));
    },
  };
}

async function sumOfRows(context: VaultContext): Promise<bigint> {
  let sum = 0n;
  for await (const { account, ids } of allPages(context))
    for (const consentId of ids) sum = plus(sum, weightOf(context, { account, consentId }));
  return sum;
}

/** A keyed hash: nobody without the vault's keys finds other grants with the same sum. */
function weightOf(context: VaultContext, { account, consentId }: GrantedConsent): bigint {
  return BigInt(`0x${toHex(context.naming(GRANTED, 'sum', account, consentId))}`);
}

function plus(sum: bigint, weight: bigint): bigint {
  return BigInt.asUintN(SUM_BITS, sum + weight);
}

async function readState(context: VaultContext, session: SqlReader): Promise<State> {
  const value = await getEntry(context, session, HEIGHT, context.naming(HEIGHT));
  if (value === undefined) return { height: 0, sum: 0n };
  const [height, sum] = JSON.parse(fromUtf8(value) ?? '') as [number, string];
  return { height, sum: BigInt(sum) };
}

async function writeState(context: VaultContext, session: SqlSession, { height, sum }: State): Promise<void> {
  const value = utf8(JSON.stringify([height, String(sum)]));
  await putRow(context, session, { tab: HEIGHT, name: context.naming(HEIGHT), value });
}

/** Answers whether it is new. */
async function addGrant(
  context: VaultContext,
  session: SqlSession,
  { account, consentId }: GrantedConsent,
): Promise<boolean> {
  const pages = await pagesOf(context, session, account);
  if (pages.some(({ ids }) => ids.includes(consentId))) return false;
  const name = pageName(context, account, pages.length - 1);
  const ids = [...(pages.at(-1)?.ids ?? []), consentId];
  await putRow(context, session, { tab: GRANTED, name, value: utf8(JSON.stringify([account, ids])) });
  return true;
}

function pageName(context: VaultContext, account: string, number: number): Uint8Array {
  return context.naming(GRANTED, account, String(number));
}

/** The pages there are; the last has room. */
async function pagesOf(context: VaultContext, session: SqlReader, account: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (;;) {
    const value = await getEntry(context, session, GRANTED, pageName(context, account, pages.length));
    const page = value === undefined ? { account, ids: [] } : decodePage(value);
    pages.push(page);
    if (page.ids.length < IDS_IN_PAGE) return pages;
  }
}

async function* allPages(context: VaultContext): AsyncIterable<Page> {
  const pause = createPause();
  let after: Uint8Array = new Uint8Array(0);
  for (;;) {
    const rows = await context.store.reader.all(
      'SELECT * FROM entries WHERE tab = ? AND name > ? ORDER BY name LIMIT ?',
      [GRANTED, after, ROWS_AT_ONCE],
    );
    for (const row of rows) {
      await pause();
      yield decodePage(await openEntry(context, row));
    }
    if (rows.length < ROWS_AT_ONCE) return;
    after = rows.at(-1)?.name as Uint8Array;
  }
}

function decodePage(value: Uint8Array): Page {
  const [account, ids] = JSON.parse(fromUtf8(value) ?? '') as [string, string[]];
  return { account, ids };
}

/** Under no patient's key: a pseudonym may be bound to its patient later, and the ledger says all of this to its members. */
async function putRow(
  context: VaultContext,
  session: SqlSession,
  row: Parameters<typeof putCommonEntry>[2],
): Promise<void> {
  await putCommonEntry(context, session, row, 'replace');
}
