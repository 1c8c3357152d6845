import { AppError, toHex } from '../../shared/index.ts';
import type { IndexToken, TokenExpression } from '../index-tokens/token.ts';
import { keyClassCode } from '../keys/category-keys.ts';
import {
  type FindQuery,
  type HistoryQuery,
  MAX_FIND_LIMIT,
  type RecordReader,
  type SealedRecord,
} from '../record.ts';
import { LIVE, SUPERSEDED } from '../storage/schema.ts';
import type { SqlReader } from '../storage/sql-store.ts';
import { placeholders } from '../storage/sql-store.ts';
import { recordName, subjectName, tokenBytes, type VaultContext } from '../vault-context.ts';
import { HANDLE_COLUMNS, handlesOf, LIST_COLUMNS } from './record-handle.ts';
import { expressionSql, requiredTokens, SqlText } from './token-sql.ts';

const DEFAULT_LIMIT = 100;
/** Below this many hits a search starts from the index rows; above, it walks the records in order. */
const SELECTIVE_ROWS = 3000;
/** Few enough to look no further for a shorter list. */
const FEW_ROWS = 50;
const MAX_COUNTED = 500;
const MAX_LISTED_SEALED = 1000;

/** Reads on one session. */
export function createRecordReader(context: VaultContext, session: SqlReader): RecordReader {
  const rows = async (text: SqlText): Promise<SealedRecord[]> =>
    handlesOf(context, await session.all(text.sql, text.parameters));
  return {
    read: (resourceType, id) => readCached(context, session, recordName(context.naming, resourceType, id)),
    readVersion: async ({ resourceType, id, version }) => {
      const text = new SqlText(`SELECT ${HANDLE_COLUMNS} FROM records r WHERE r.rkey = ? AND r.version = ?`);
      text.bind(recordName(context.naming, resourceType, id), version);
      return (await rows(text))[0];
    },
    history: (query) => rows(historySql(context, query)),
    find: async (query) => {
      const text = await findSql(context, session, query, LIST_COLUMNS);
      if (text === undefined) return [];
      addCursor(context, text, query);
      text.add(' ORDER BY r.updated_ms DESC, r.rkey LIMIT ?', limitOf(query.limit));
      return rows(text);
    },
    listSealed: (subject) => rows(sealedSql(context, subject)),
    count: async (query) => {
      const text = await findSql(context, session, query, 'COUNT(*) AS total');
      if (text === undefined) return 0;
      const [row] = await session.all(text.sql, text.parameters);
      return Number(row?.total ?? 0);
    },
  };
}

const CURRENT = `SELECT ${HANDLE_COLUMNS} FROM records r WHERE r.rkey = ? AND r.state > ${SUPERSEDED}`;

async function readCached(
  context: VaultContext,
  session: SqlReader,
  name: Uint8Array,
): Promise<SealedRecord | undefined> {
  const { handles } = context;
  const key = toHex(name);
  const cached = handles.get(key);
  if (cached !== undefined) return cached;
  const { generation } = handles;
  const rows = await session.all(CURRENT, [name]);
  const [handle] = await handlesOf(context, rows);
  const content = rows[0]?.content as Uint8Array | undefined;
  if (handle !== undefined) handles.remember(key, handle, content?.length ?? 0, generation);
  return handle;
}

/** undefined when nothing can match. */
async function findSql(
  context: VaultContext,
  session: SqlReader,
  query: FindQuery,
  columns: string,
): Promise<SqlText | undefined> {
  if (query.types.length === 0 || query.ids?.length === 0 || query.subjects?.allow?.length === 0)
    return undefined;
  const state = query.withDeleted === true ? `> ${SUPERSEDED}` : `= ${LIVE}`;
  const text = new SqlText(`SELECT ${columns} FROM records r WHERE r.state ${state}`);
  const start = await startOf(context, session, query);
  const walks = start === undefined && query.ids === undefined && query.subjects?.allow === undefined;
  // A unary plus keeps SQLite from walking the whole type in order when few rows match; PostgreSQL has statistics.
  const type = !walks && context.store.dialect === 'sqlite' ? '+r.resource_type' : 'r.resource_type';
  text.add(` AND ${type} IN (${placeholders(query.types.length)})`, ...query.types);
  if (query.ids !== undefined) addIds(context, text, query.types, query.ids);
  addSubjects(context, text, query.subjects);
  const { fromMs, beforeMs } = query.lastUpdated ?? {};
  if (fromMs !== undefined) text.add(' AND r.updated_ms >= ?', fromMs);
  if (beforeMs !== undefined) text.add(' AND r.updated_ms < ?', beforeMs);
  if (query.where !== undefined) {
    text.add(' AND ');
    const hashesOf = (token: IndexToken) =>
      query.types.map((one) => tokenBytes(context.hashToken(one, token)));
    expressionSql(text, query.where, { hashesOf, start });
  }
  text.check();
  return text;
}

/**
 * The list with the fewest index rows, when they are few: the search starts from it. undefined: it walks the records in
 * order instead, and stops when the page is full.
 */
async function startOf(
  context: VaultContext,
  session: SqlReader,
  query: FindQuery,
): Promise<TokenExpression | undefined> {
  if (query.where === undefined) return undefined;
  let start: TokenExpression | undefined;
  let fewest = SELECTIVE_ROWS;
  for (const { at, tokens } of requiredTokens(query.where)) {
    const hashes = tokens.flatMap((token) =>
      query.types.map((type) => tokenBytes(context.hashToken(type, token))),
    );
    if (hashes.length > MAX_COUNTED) continue;
    const hits = hashes.length === 0 ? 0 : await countIndexRows(session, hashes, fewest);
    if (hits < fewest) {
      start = at;
      fewest = hits;
    }
    if (fewest < FEW_ROWS) break;
  }
  return start;
}

async function countIndexRows(
  session: SqlReader,
  hashes: readonly Uint8Array[],
  limit: number,
): Promise<number> {
  const list = placeholders(hashes.length);
  const sql = `SELECT COUNT(*) AS hits FROM (SELECT 1 FROM tokens WHERE token IN (${list}) LIMIT ${limit}) AS counted`;
  const [row] = await session.all(sql, hashes);
  return Number(row?.hits ?? 0);
}

function addIds(
  context: VaultContext,
  text: SqlText,
  types: readonly string[],
  ids: readonly string[],
): void {
  const names = types.flatMap((type) => ids.map((id) => recordName(context.naming, type, id)));
  text.add(` AND r.rkey IN (${placeholders(names.length)})`, ...names);
}

function addSubjects(context: VaultContext, text: SqlText, subjects: FindQuery['subjects']): void {
  const names = (list: readonly (string | null)[]) =>
    list.map((subject) => subjectName(context.naming, subject));
  if (subjects?.allow !== undefined) {
    text.add(` AND r.subject IN (${placeholders(subjects.allow.length)})`, ...names(subjects.allow));
  }
  if (subjects?.deny !== undefined && subjects.deny.length > 0) {
    text.add(` AND r.subject NOT IN (${placeholders(subjects.deny.length)})`, ...names(subjects.deny));
  }
}

function addCursor(context: VaultContext, text: SqlText, query: FindQuery): void {
  if (query.after === undefined) return;
  const { lastUpdatedMs, resourceType, id } = query.after;
  const name = recordName(context.naming, resourceType, id);
  text.add(
    ' AND (r.updated_ms < ? OR (r.updated_ms = ? AND r.rkey > ?))',
    lastUpdatedMs,
    lastUpdatedMs,
    name,
  );
}

function historySql(context: VaultContext, query: HistoryQuery): SqlText {
  const text = new SqlText(`SELECT ${LIST_COLUMNS} FROM records r WHERE r.resource_type = ?`);
  text.bind(query.resourceType);
  if (query.id !== undefined)
    text.add(' AND r.rkey = ?', recordName(context.naming, query.resourceType, query.id));
  if (query.sinceMs !== undefined) text.add(' AND r.updated_ms >= ?', query.sinceMs);
  if (query.beforeMs !== undefined) text.add(' AND r.updated_ms < ?', query.beforeMs);
  if (query.after !== undefined) {
    const { lastUpdatedMs, id, version } = query.after;
    const name = recordName(context.naming, query.resourceType, id);
    text.add(
      ' AND (r.updated_ms < ? OR (r.updated_ms = ? AND (r.rkey > ? OR (r.rkey = ? AND r.version < ?))))',
    );
    text.bind(lastUpdatedMs, lastUpdatedMs, name, name, version);
  }
  return text.add(' ORDER BY r.updated_ms DESC, r.rkey, r.version DESC LIMIT ?', limitOf(query.limit));
}

/** Their keys are of a category of its own; no token finds them. */
function sealedSql(context: VaultContext, subject: string): SqlText {
  const text = new SqlText(
    `SELECT ${LIST_COLUMNS} FROM records r JOIN category_keys k ON k.key_id = r.key_id WHERE r.subject = ? AND k.category = ?`,
  );
  text.bind(subjectName(context.naming, subject), keyClassCode('sealed'));
  return text.add(' ORDER BY r.updated_ms DESC, r.rkey, r.version DESC LIMIT ?', MAX_LISTED_SEALED);
}

function limitOf(limit: number | undefined): number {
  const wanted = limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > MAX_FIND_LIMIT) {
    throw new AppError('invalid-search', `A page holds 0 to ${MAX_FIND_LIMIT} records. Ask for fewer.`);
  }
  return wanted;
}
