import { AppError, equalBytes, sha256, toHex } from '../../shared/index.ts';
import type { OpenAccessLog } from '../access-log/open-access-log.ts';
import { auditUnfinished } from '../erasure/unfinished-erasure.ts';
import { describeGrant, openInfo } from '../grants/grant-rows.ts';
import type { CategoryKey } from '../keys/category-keys.ts';
import type { KeyProtector } from '../keys/key-protector.ts';
import { columnsAgree } from '../records/record-handle.ts';
import { describePlace, openCommitted, openMeta, placeOf, type RecordMeta } from '../records/record-row.ts';
import { SUPERSEDED } from '../storage/schema.ts';
import { placeholders, type SqlReader, type SqlRow } from '../storage/sql-store.ts';
import { splitTokens } from '../storage/token-rows.ts';
import { describeEntry, openEntry } from '../tables/entries.ts';
import { recordName, subjectName, type VaultContext } from '../vault-context.ts';
import { auditAccessLog } from './audit-access-log.ts';
import { faultOf } from './fault.ts';
import type { AuditedRecord, AuditFinding, AuditProgress } from './finding.ts';
import { type RowCheck, walkTable } from './walk-table.ts';

const TOKENS_AT_ONCE = 200;
const INDEX_ROWS_AT_ONCE = 1000;
/** All but the content, which is read of one record at a time: that of many may be more than the memory holds. */
const RECORD_COLUMNS =
  't.rid, t.rkey, t.version, t.resource_type, t.updated_ms, t.state, t.anchored, t.subject, t.key_id, t.meta_key_id, t.meta, t.wrapped, t.tokens';

type Progress = (progress: AuditProgress) => void;
type OnRecord = (record: AuditedRecord) => void;

/** Walks everything the vault keeps, and yields each fault. Others work meanwhile: erasures too. */
export async function* audit(
  context: VaultContext,
  accessLog: OpenAccessLog,
  protector: KeyProtector,
  atOpen: readonly AuditFinding[],
  onProgress: Progress = () => undefined,
  onRecord: OnRecord = () => undefined,
): AsyncIterable<AuditFinding> {
  yield* atOpen;
  for (const line of await context.store.integrity())
    yield { kind: 'database', where: 'database', what: line.slice(0, 300) };
  yield* auditUnfinished(context, protector);
  yield* auditKeys(context);
  yield* auditRecords(context, onProgress, onRecord);
  yield* auditIndex(context, onProgress);
  yield* auditBoxes(context, 'entries', ['tab', 'name'], 'table', describeEntry, openEntry);
  const grantKey = ['subject', 'grantee', 'category', 'key_id'];
  yield* auditBoxes(context, 'grants', grantKey, 'key', describeGrant, openInfo);
  yield* auditAccessLog(context, accessLog, onProgress);
}

function auditKeys(context: VaultContext): AsyncIterable<AuditFinding> {
  const describe = (row: SqlRow) => `category_keys ${Number(row.key_id)}`;
  return auditBoxes(context, 'category_keys', ['key_id'], 'key', describe, async ({ keys }, row) =>
    requireWrapping(keys.decode(row)),
  );
}

/** Only the key of a sealed record is nowhere here. */
function requireWrapping({ key, keyClass }: CategoryKey): void {
  if (key === undefined && keyClass !== 'sealed') throw new AppError('damaged', 'Its wrapping is missing.');
}

/** Every row must open. */
function auditBoxes(
  context: VaultContext,
  table: string,
  key: readonly string[],
  kind: AuditFinding['kind'],
  describe: (row: SqlRow) => string,
  open: (context: VaultContext, row: SqlRow) => Promise<unknown>,
): AsyncIterable<AuditFinding> {
  return walkTable(context, { table, key }, async (row, _session, found) => {
    const what = await faultOf(() => open(context, row));
    if (what !== undefined) found({ kind, where: describe(row), what });
  });
}

function auditRecords(
  context: VaultContext,
  onProgress: Progress,
  onRecord: OnRecord,
): AsyncIterable<AuditFinding> {
  const check: RowCheck = async (row, session, found) => {
    const { meta, faults } = await auditRecord(context, session, row);
    const where = describePlace(placeOf(row));
    for (const what of faults) found({ kind: 'record', where, what });
    if (meta !== undefined)
      onRecord({ where, commitment: meta.commitment, anchored: Number(row.anchored) === 1 });
  };
  const walked = { table: 'records', key: ['rid'], columns: RECORD_COLUMNS };
  return walkTable(context, walked, check, (done) => onProgress({ stage: 'records', done }));
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
  const [stored] = await session.all('SELECT content FROM records WHERE rid = ?', [Number(row.rid)]);
  const parts = { wrapped: row.wrapped as Uint8Array, content: stored?.content as Uint8Array };
  openCommitted(parts, placeOf(row), meta, key);
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
  if (Number(row.state) === SUPERSEDED)
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
  for (let at = 0; at < tokens.length; at += TOKENS_AT_ONCE) {
    const chunk = tokens.slice(at, at + TOKENS_AT_ONCE);
    const sql = `SELECT token FROM tokens WHERE rid = ? AND token IN (${placeholders(chunk.length)})`;
    for (const row of await session.all(sql, [rid, ...chunk])) found.add(toHex(row.token as Uint8Array));
  }
  return tokens.filter((token) => !found.has(toHex(token)));
}

/** Index rows that no record lists. */
function auditIndex(context: VaultContext, onProgress: Progress): AsyncIterable<AuditFinding> {
  const walked = {
    table: 'tokens',
    key: ['token', 'rid'],
    columns: 't.token, t.rid, r.tokens',
    join: 'LEFT JOIN records r ON r.rid = t.rid',
    rowsAtOnce: INDEX_ROWS_AT_ONCE,
  };
  const check: RowCheck = async (row, _session, found) => {
    const token = row.token as Uint8Array;
    if (lists(row.tokens as Uint8Array | null, token)) return;
    const where = `tokens ${toHex(token)} of record row ${Number(row.rid)}`;
    found({ kind: 'index', where, what: 'No record has this search token.' });
  };
  return walkTable(context, walked, check, (done) => onProgress({ stage: 'index', done }));
}

function lists(tokens: Uint8Array | null, token: Uint8Array): boolean {
  return tokens !== null && splitTokens(tokens).some((one) => equalBytes(one, token));
}
