import { existsSync } from 'node:fs';
import { AppError, compareBytes, equalBytes, sha256, toHex } from '../../shared/index.ts';
import { scanFrames, tornPath } from '../access-log/log-file.ts';
import type { OpenAccessLog } from '../access-log/open-access-log.ts';
import { openFrame } from '../access-log/open-access-log.ts';
import { describeGrant, openInfo } from '../grants/grant-rows.ts';
import type { CategoryKey } from '../keys/category-keys.ts';
import { columnsAgree } from '../records/record-handle.ts';
import { describePlace, openCommitted, openMeta, placeOf, type RecordMeta } from '../records/record-row.ts';
import { LIVE, SUPERSEDED } from '../storage/schema.ts';
import { placeholders, type SqlReader, type SqlRow } from '../storage/sql-store.ts';
import { splitTokens } from '../storage/token-rows.ts';
import { describeEntry, openEntry } from '../tables/entries.ts';
import { recordName, subjectName, type VaultContext } from '../vault-context.ts';
import type { AuditedRecord, AuditFinding, AuditProgress } from './finding.ts';

const PAGE = 200;
const MAX_FINDINGS = 100_000;

type Progress = (progress: AuditProgress) => void;
type OnRecord = (record: AuditedRecord) => void;

/** Walks everything the vault keeps, the database in one snapshot, and yields each fault. */
export async function* audit(
  context: VaultContext,
  accessLog: OpenAccessLog,
  atOpen: readonly AuditFinding[],
  onProgress: Progress = () => undefined,
  onRecord: OnRecord = () => undefined,
): AsyncIterable<AuditFinding> {
  yield* atOpen;
  for (const line of await context.store.integrity())
    yield { kind: 'database', where: 'database', what: line.slice(0, 300) };
  yield* await context.store.snapshot((session) =>
    collect(auditDatabase(context, session, onProgress, onRecord)),
  );
  yield* auditAccessLog(context, accessLog, onProgress);
}

/** A snapshot lasts no longer than this takes, whatever the reader of the findings does meanwhile. */
async function collect(findings: AsyncIterable<AuditFinding>): Promise<AuditFinding[]> {
  const collected: AuditFinding[] = [];
  for await (const finding of findings) if (collected.push(finding) >= MAX_FINDINGS) break;
  return collected;
}

async function* auditDatabase(
  context: VaultContext,
  session: SqlReader,
  onProgress: Progress,
  onRecord: OnRecord,
): AsyncIterable<AuditFinding> {
  const describeKey = (row: SqlRow) => `category_keys ${Number(row.key_id)}`;
  yield* auditRows(session, 'category_keys', ['key_id'], 'key', describeKey, async (row) =>
    requireWrapping(context.keys.decode(row)),
  );
  yield* auditRecords(context, session, onProgress, onRecord);
  yield* auditIndex(session, onProgress);
  yield* auditRows(session, 'entries', ['tab', 'name'], 'table', describeEntry, (row) =>
    openEntry(context, row),
  );
  const grantKey = ['subject', 'grantee', 'category', 'key_id'];
  yield* auditRows(session, 'grants', grantKey, 'key', describeGrant, (row) => openInfo(context, row));
}

/** Only the key of a sealed record is nowhere here. */
function requireWrapping({ key, keyClass }: CategoryKey): void {
  if (key === undefined && keyClass !== 'sealed') throw new AppError('damaged', 'Its wrapping is missing.');
}

/** Every row of a small table must open. */
async function* auditRows(
  session: SqlReader,
  table: string,
  key: readonly string[],
  kind: AuditFinding['kind'],
  describe: (row: SqlRow) => string,
  open: (row: SqlRow) => Promise<unknown>,
): AsyncIterable<AuditFinding> {
  for (let offset = 0; ; offset += PAGE) {
    const rows = await readPage(
      session,
      table,
      `SELECT * FROM ${table} ORDER BY ${key.join(', ')} LIMIT ? OFFSET ?`,
      [PAGE, offset],
    );
    if (!Array.isArray(rows)) return yield rows;
    for (const row of rows) {
      const what = await faultOf(() => open(row));
      if (what !== undefined) yield { kind, where: describe(row), what };
    }
    if (rows.length < PAGE) return;
  }
}

async function* auditRecords(
  context: VaultContext,
  session: SqlReader,
  onProgress: Progress,
  onRecord: OnRecord,
): AsyncIterable<AuditFinding> {
  let after = 0;
  let done = 0;
  for (;;) {
    const rows = await readPage(
      session,
      'records',
      'SELECT * FROM records WHERE rid > ? ORDER BY rid LIMIT ?',
      [after, PAGE],
    );
    if (!Array.isArray(rows)) return yield rows;
    for (const row of rows) {
      after = Number(row.rid);
      const { meta, faults } = await auditRecord(context, session, row);
      const where = describePlace(placeOf(row));
      for (const what of faults) yield { kind: 'record', where, what };
      if (meta !== undefined)
        onRecord({ where, commitment: meta.commitment, anchored: Number(row.anchored) === 1 });
    }
    done += rows.length;
    onProgress({ stage: 'records', done });
    if (rows.length < PAGE) return;
  }
}

async function auditRecord(
  context: VaultContext,
  session: SqlReader,
  row: SqlRow,
): Promise<{ meta: RecordMeta | undefined; faults: string[] }> {
  const faults: string[] = [];
  let meta: RecordMeta | undefined;
  const what = await faultOf(async () => {
    meta = await openedMeta(context, row);
    await openContent(context, session, row, meta);
  });
  if (what !== undefined) faults.push(what);
  if (meta !== undefined) faults.push(...(await columnFaults(context, session, row, meta)));
  return { meta, faults };
}

async function openedMeta(context: VaultContext, row: SqlRow): Promise<RecordMeta> {
  const meta = openMeta(
    row.meta as Uint8Array,
    placeOf(row),
    await context.keys.byId(context.store.reader, Number(row.meta_key_id)),
  );
  if (meta === undefined) throw new AppError('damaged', 'Its metadata does not open.');
  return meta;
}

/** What is sealed to the patient cannot be opened here; the patient's copy of its key must be there all the same. */
async function openContent(
  context: VaultContext,
  session: SqlReader,
  row: SqlRow,
  meta: RecordMeta,
): Promise<void> {
  const key = await context.keys.byId(context.store.reader, Number(row.key_id));
  if (meta.category === 'sealed' && key.key === undefined) return requirePatientsKey(session, row);
  openCommitted(
    { wrapped: row.wrapped as Uint8Array, content: row.content as Uint8Array },
    placeOf(row),
    meta,
    key,
  );
}

async function requirePatientsKey(session: SqlReader, row: SqlRow): Promise<void> {
  const sql = 'SELECT COUNT(*) AS copies FROM grants WHERE subject = ? AND key_id = ?';
  const [count] = await session.all(sql, [row.subject as Uint8Array, Number(row.key_id)]);
  if (Number(count?.copies) === 0)
    throw new AppError('damaged', 'It is sealed, and the patient’s copy of its key is missing.');
}

async function columnFaults(
  context: VaultContext,
  session: SqlReader,
  row: SqlRow,
  meta: RecordMeta,
): Promise<string[]> {
  const faults: string[] = [];
  const place = placeOf(row);
  if (!columnsAgree(row, meta)) faults.push('Its time or state is not what was sealed.');
  if (!equalBytes(recordName(context.naming, place.resourceType, meta.id), place.rkey))
    faults.push('It is filed under another id.');
  if (!equalBytes(subjectName(context.naming, meta.subject), row.subject as Uint8Array))
    faults.push('It is filed under another patient.');
  if (![0, 1].includes(Number(row.anchored))) faults.push('Its anchored mark is impossible.');
  faults.push(...(await versionFaults(session, row)));
  faults.push(...(await tokenFaults(session, row, meta)));
  return faults;
}

/** Versions run 1, 2, 3 …, and exactly the last one is current. */
async function versionFaults(session: SqlReader, row: SqlRow): Promise<string[]> {
  const rkey = row.rkey as Uint8Array;
  const version = Number(row.version);
  const [totals] = await session.all(
    `SELECT MAX(version) AS newest, COUNT(*) AS versions, SUM(CASE WHEN state > ${SUPERSEDED} THEN 1 ELSE 0 END) AS current_rows FROM records WHERE rkey = ?`,
    [rkey],
  );
  const newest = Number(totals?.newest);
  const faults: string[] = [];
  if (version === newest && Number(row.state) === SUPERSEDED)
    faults.push('The newest version is not marked as current.');
  if (version < newest && Number(row.state) !== SUPERSEDED)
    faults.push('An old version is marked as current.');
  if (version === newest && Number(totals?.versions) !== newest) {
    faults.push(`${newest - Number(totals?.versions)} of its ${newest} versions are missing.`);
  }
  return faults;
}

/** The list beside a record must be what was sealed, and each of its tokens must be in the index. */
async function tokenFaults(session: SqlReader, row: SqlRow, meta: RecordMeta): Promise<string[]> {
  const tokens = row.tokens as Uint8Array;
  if (Number(row.state) !== LIVE)
    return tokens.length === 0 ? [] : ['It is not current, but has search tokens.'];
  if (!equalBytes(sha256(tokens), meta.tokensHash))
    return ['Its list of search tokens is not what was sealed.'];
  const missing = await missingTokens(session, Number(row.rid), splitTokens(tokens));
  return missing.map((token) => `Search token ${toHex(token)} is missing from the index.`);
}

async function missingTokens(
  session: SqlReader,
  rid: number,
  tokens: readonly Uint8Array[],
): Promise<Uint8Array[]> {
  const found = new Set<string>();
  for (let at = 0; at < tokens.length; at += PAGE) {
    const chunk = tokens.slice(at, at + PAGE);
    const sql = `SELECT token FROM tokens WHERE rid = ? AND token IN (${placeholders(chunk.length)})`;
    for (const row of await session.all(sql, [rid, ...chunk])) found.add(toHex(row.token as Uint8Array));
  }
  return tokens.filter((token) => !found.has(toHex(token)));
}

/** Index rows that no record lists. */
async function* auditIndex(session: SqlReader, onProgress: Progress): AsyncIterable<AuditFinding> {
  let done = 0;
  let after = { token: new Uint8Array(0) as Uint8Array, rid: -1 };
  for (;;) {
    const sql = `SELECT t.token, t.rid, r.tokens FROM tokens t LEFT JOIN records r ON r.rid = t.rid
      WHERE (t.token, t.rid) > (?, ?) ORDER BY t.token, t.rid LIMIT ?`;
    const rows = await readPage(session, 'tokens', sql, [after.token, after.rid, PAGE * 5]);
    if (!Array.isArray(rows)) return yield rows;
    for (const row of rows) {
      after = { token: row.token as Uint8Array, rid: Number(row.rid) };
      if (!lists(row.tokens as Uint8Array | null, after.token)) {
        yield {
          kind: 'index',
          where: `tokens ${toHex(after.token)} of record row ${after.rid}`,
          what: 'No record has this search token.',
        };
      }
    }
    done += rows.length;
    onProgress({ stage: 'index', done });
    if (rows.length < PAGE * 5) return;
  }
}

function lists(tokens: Uint8Array | null, token: Uint8Array): boolean {
  return tokens !== null && splitTokens(tokens).some((one) => equalBytes(one, token));
}

const TORN = {
  kind: 'access-log',
  severity: 'note',
  what: 'A start cut these bytes off the access log: a write that a crash left unfinished, of which nobody was told.',
} as const;

async function* auditAccessLog(
  context: VaultContext,
  log: OpenAccessLog,
  onProgress: Progress,
): AsyncIterable<AuditFinding> {
  const faults: AuditFinding[] = [];
  const size = log.size;
  const end = log.end;
  const scan = await scanFrames(log.file, async (frame, offset) => {
    const what = await faultOf(() => openFrame(context, frame.bytes));
    if (what !== undefined)
      faults.push({ kind: 'access-log', where: `${log.path} byte ${offset} (entry ${frame.index})`, what });
    if (frame.index % 1000 === 999) onProgress({ stage: 'access log', done: frame.index + 1 });
  });
  yield* faults;
  if (scan.damage !== undefined && (scan.end < end || log.damage !== undefined)) {
    const what = scan.damage.torn
      ? 'The log ends in bytes that are no whole entry.'
      : 'An entry is damaged or missing here.';
    yield {
      kind: 'access-log',
      where: `${log.path} byte ${scan.damage.offset} (entry ${scan.damage.index})`,
      what,
    };
  }
  if (existsSync(tornPath(log.path))) yield { ...TORN, where: tornPath(log.path) };
  const anchor = await log.anchored().catch(() => undefined);
  if (anchor === undefined) return;
  if (anchor.size > size)
    yield {
      kind: 'access-log',
      where: log.path,
      what: `${anchor.size} entries are anchored, but the log has ${size}.`,
    };
  else if (compareBytes(log.root(anchor.size), anchor.root) !== 0) {
    yield {
      kind: 'access-log',
      where: log.path,
      what: `The first ${anchor.size} entries are not those that were anchored.`,
    };
  }
}

/** A page of rows, or the fault that kept it from being read. */
async function readPage(
  session: SqlReader,
  table: string,
  sql: string,
  parameters: readonly (number | Uint8Array)[],
): Promise<SqlRow[] | AuditFinding> {
  try {
    return await session.all(sql, parameters);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return {
      kind: 'database',
      where: table,
      what: `The rest of this table cannot be read: ${error.message}`,
    };
  }
}

async function faultOf(action: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    // Nothing that was never damaged fails here; what it fails with may be anything, and the walk goes on.
    if (!(error instanceof AppError)) return `It cannot be read (${(error as Error).name}).`;
    return error.code === 'erased' ? 'The key that it is under is missing.' : error.message;
  }
}
