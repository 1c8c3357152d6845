import { AppError } from '../../shared/index.ts';
import { createPause, type Pause } from '../pause.ts';
import type { SqlReader, SqlRow } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import type { AuditFinding } from './finding.ts';

const PAGE = 200;

/** The rows of a table in the order of its primary key. */
export type Walked = {
  readonly table: string;
  readonly key: readonly string[];
  /** What is read of each row `t`; everything when absent. */
  readonly columns?: string;
  readonly join?: string;
  readonly rowsAtOnce?: number;
};

/** Looks at one row, and tells what is wrong with it. */
export type RowCheck = (
  row: SqlRow,
  session: SqlReader,
  found: (finding: AuditFinding) => void,
) => Promise<void>;

type Page = {
  readonly findings: readonly AuditFinding[];
  readonly rows: number;
  /** Where the next page begins; absent when this was the last. */
  readonly last?: SqlRow;
};

/**
 * Checks every row, page by page. A page is of one moment of the database, and no erasure comes while it is looked at, which
 * would take its keys away: an erasure waits for a page, and never for the whole walk.
 */
export async function* walkTable(
  context: VaultContext,
  walked: Walked,
  check: RowCheck,
  onDone: (rows: number) => void = () => undefined,
): AsyncIterable<AuditFinding> {
  const pause = createPause();
  let done = 0;
  let after: SqlRow | undefined;
  do {
    const page: Page = await context.erasures(() =>
      context.store.snapshot((session) => checkPage(session, walked, after, check, pause)),
    );
    yield* page.findings;
    done += page.rows;
    onDone(done);
    after = page.last;
  } while (after !== undefined);
}

async function checkPage(
  session: SqlReader,
  walked: Walked,
  after: SqlRow | undefined,
  check: RowCheck,
  pause: Pause,
): Promise<Page> {
  const limit = walked.rowsAtOnce ?? PAGE;
  const findings: AuditFinding[] = [];
  const rows = await session.all(...pageSql(walked, after, limit)).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    return error;
  });
  if (!Array.isArray(rows)) return { findings: [unreadable(walked, rows.message)], rows: 0 };
  for (const row of rows) {
    await check(row, session, (finding) => findings.push(finding));
    await pause();
  }
  if (rows.length < limit) return { findings, rows: rows.length };
  const last = rows.findLast((row) => walked.key.every((column) => isPlace(row[column])));
  if (last !== undefined) return { findings, rows: rows.length, last };
  findings.push(
    unreadable(walked, 'The primary keys of so many rows are damaged that none is left to go on from.'),
  );
  return { findings, rows: rows.length };
}

function pageSql(
  { table, key, columns = 't.*', join = '' }: Walked,
  after: SqlRow | undefined,
  limit: number,
) {
  const order = key.map((column) => `t.${column}`).join(', ');
  const where = after === undefined ? '' : `WHERE (${order}) > (${key.map(() => '?').join(', ')})`;
  const sql = `SELECT ${columns} FROM ${table} t ${join} ${where} ORDER BY ${order} LIMIT ?`;
  const place = after === undefined ? [] : key.map((column) => after[column] ?? null);
  return [sql, [...place, limit]] as const;
}

/** A damaged value of bytes is read as an empty one: from there a walk would begin again. */
function isPlace(value: SqlRow[string] | undefined): boolean {
  return value !== undefined && value !== null && !(value instanceof Uint8Array && value.length === 0);
}

function unreadable({ table }: Walked, why: string): AuditFinding {
  return { kind: 'database', where: table, what: `The rest of this table cannot be read: ${why}` };
}
