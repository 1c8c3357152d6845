import type { PendingCommitment, RecordKey } from '../record.ts';
import type { SqlRow } from '../storage/sql-store.ts';
import { recordName, type VaultContext } from '../vault-context.ts';
import { handlesOf, LIST_COLUMNS } from './record-handle.ts';

const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 100_000;

/** The versions that are not on the ledger yet, oldest first. */
export async function listPending(
  context: VaultContext,
  limit = DEFAULT_LIMIT,
): Promise<PendingCommitment[]> {
  const sql = `SELECT ${LIST_COLUMNS} FROM records r WHERE r.anchored = 0 ORDER BY r.rid LIMIT ?`;
  const rows: SqlRow[] = await context.store.reader.all(sql, [Math.min(limit, MAX_LIMIT)]);
  const handles = await handlesOf(context, rows);
  return handles.map(({ key, subject, commitment, author }) => ({ key, subject, commitment, author }));
}

export async function markAnchored(context: VaultContext, keys: readonly RecordKey[]): Promise<void> {
  if (keys.length === 0) return;
  const places = keys.map(({ resourceType, id, version }) => [
    recordName(context.naming, resourceType, id),
    version,
  ]);
  await context.store.write((session) =>
    session.runEach('UPDATE records SET anchored = 1 WHERE rkey = ? AND version = ?', places),
  );
}
