import { forgetAnchorsAfter } from '../access-log/anchors.ts';
import { metaIfWhole } from '../records/meta-if-whole.ts';
import type { SqlReader, SqlRow } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';

const PAGE = 1000;
const COLUMNS = 'rid, rkey, version, resource_type, meta_key_id, meta';

/** What the ledger has that a backup was taken with. */
export type LedgerOfBackup = {
  has(commitment: Uint8Array): boolean;
  /** How many entries of the access log its last anchor covers. */
  readonly accessLogSize: number;
};

/**
 * A vault is copied after its ledger. What was anchored in between is not anchored as far as that ledger goes: without the mark
 * it goes there again.
 */
export async function unmarkLater(context: VaultContext, ledger: LedgerOfBackup): Promise<void> {
  await context.store.write(async (session) => {
    await forgetAnchorsAfter(session, ledger.accessLogSize);
    for (let after = -1, rows: SqlRow[] | undefined; rows === undefined || rows.length === PAGE; ) {
      rows = await session.all(
        `SELECT ${COLUMNS} FROM records WHERE anchored = 1 AND rid > ? ORDER BY rid LIMIT ?`,
        [after, PAGE],
      );
      const later = await laterOf(context, session, rows, ledger);
      await session.runEach('UPDATE records SET anchored = 0 WHERE rid = ?', later);
      after = Number(rows.at(-1)?.rid);
    }
  });
}

/** A damaged record keeps its mark: the audit names it. */
async function laterOf(
  context: VaultContext,
  session: SqlReader,
  rows: readonly SqlRow[],
  ledger: LedgerOfBackup,
): Promise<number[][]> {
  const later: number[][] = [];
  for (const row of rows) {
    const meta = await metaIfWhole(context, session, row);
    if (meta !== undefined && !ledger.has(meta.commitment)) later.push([Number(row.rid)]);
  }
  return later;
}
