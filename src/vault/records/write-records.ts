import { AppError, toHex } from '../../shared/index.ts';
import type { Category } from '../category.ts';
import { sealedKeyFor } from '../grants/patient-seal.ts';
import type { CategoryKey, StagedKeys } from '../keys/category-keys.ts';
import type { PutResult } from '../record.ts';
import { LIVE, SUPERSEDED, TOMBSTONE } from '../storage/schema.ts';
import { placeholders, type SqlReader, type SqlSession, type SqlValue } from '../storage/sql-store.ts';
import { splitTokens } from '../storage/token-rows.ts';
import { recordName, subjectName, type VaultContext } from '../vault-context.ts';
import { type IndexedWrite, NO_TOKENS } from './indexed-write.ts';
import { sealRecord } from './record-row.ts';

const RECORD_COLUMNS = [
  'rid',
  'rkey',
  'version',
  'resource_type',
  'updated_ms',
  'state',
  'anchored',
  'subject',
  'key_id',
  'meta_key_id',
  'meta',
  'wrapped',
  'content',
  'tokens',
];
const LOOKUP_CHUNK = 64;
const MAX_PLAINTEXT_BYTES = 32 * 1024 * 1024;
const MAX_TOKENS = 20_000;
const MAX_ID_BYTES = 256;

type Row = {
  rid: number;
  rkey: Uint8Array;
  version: number;
  state: number;
  tokens: Uint8Array;
  /** undefined while the row is in the database only. */
  fixed?: readonly SqlValue[];
};

/** What became of each write, in order. */
export type WriteOutcome = PutResult | AppError;

/**
 * Seals and stores versions inside a transaction. A version that does not follow the current one is refused alone, with
 * `conflict`; any other error fails the whole transaction.
 */
export async function writeRecords(
  context: VaultContext,
  session: SqlSession,
  writes: readonly IndexedWrite[],
  staged: StagedKeys,
  changed: Uint8Array[],
): Promise<WriteOutcome[]> {
  const names = writes.map(({ write }) => recordName(context.naming, write.key.resourceType, write.key.id));
  const current = await currentRows(session, names);
  const replaced: Row[] = [];
  const added: Row[] = [];
  const outcomes: WriteOutcome[] = [];
  for (const [index, write] of writes.entries()) {
    const rkey = names[index] as Uint8Array;
    const name = toHex(rkey);
    const before = current.get(name);
    const refusal = refusalOf(write, before?.version ?? 0);
    if (refusal !== undefined) {
      outcomes.push(refusal);
      continue;
    }
    const { row, result } = await sealRow(context, session, write, rkey, staged);
    if (before !== undefined && before.fixed === undefined) replaced.push({ ...before });
    if (before !== undefined) supersede(before);
    current.set(name, row);
    added.push(row);
    changed.push(rkey);
    outcomes.push(result);
  }
  await storeRows(session, replaced, added);
  return outcomes;
}

function refusalOf({ write, valueCount }: IndexedWrite, currentVersion: number): AppError | undefined {
  const { resourceType, id, version } = write.key;
  if (version !== currentVersion + 1) {
    return new AppError(
      'conflict',
      `Version ${version} does not follow the current one (${currentVersion}). Read it again, then retry.`,
    );
  }
  if (write.plaintext.length > MAX_PLAINTEXT_BYTES)
    return new AppError('body-too-large', 'A record may have at most 32 MiB.');
  if (valueCount > MAX_TOKENS)
    return new AppError('too-many', `A record may have at most ${MAX_TOKENS} search values.`);
  if (!/^[A-Za-z]{1,64}$/.test(resourceType) || id.length === 0 || Buffer.byteLength(id) > MAX_ID_BYTES) {
    return new AppError('invalid-request', 'A record needs a resource type and an id of at most 256 bytes.');
  }
  return undefined;
}

async function currentRows(session: SqlReader, names: readonly Uint8Array[]): Promise<Map<string, Row>> {
  const current = new Map<string, Row>();
  for (let at = 0; at < names.length; at += LOOKUP_CHUNK) {
    const chunk = names.slice(at, at + LOOKUP_CHUNK);
    const size = chunk.length === 1 ? 1 : LOOKUP_CHUNK;
    // Padded with repeats so that one prepared statement serves every chunk.
    while (chunk.length < size) chunk.push(chunk[0] as Uint8Array);
    const sql = `SELECT rid, rkey, version, state, tokens FROM records WHERE rkey IN (${placeholders(size)}) AND state > ${SUPERSEDED}`;
    for (const row of await session.all(sql, chunk)) {
      const rkey = row.rkey as Uint8Array;
      current.set(toHex(rkey), {
        rid: Number(row.rid),
        rkey,
        version: Number(row.version),
        state: Number(row.state),
        tokens: row.tokens as Uint8Array,
      });
    }
  }
  return current;
}

async function sealRow(
  context: VaultContext,
  session: SqlSession,
  { write, category, tokens }: IndexedWrite,
  rkey: Uint8Array,
  staged: StagedKeys,
): Promise<{ row: Row; result: PutResult }> {
  const { resourceType, version } = write.key;
  const subject = subjectName(context.naming, write.subject);
  const meta = await context.keys.ensure(session, subject, 'general', staged);
  const data = await dataKeyOwner(context, session, write.subject, subject, category, staged);
  const sealed = sealRecord(
    write,
    { rkey, version, resourceType },
    category,
    { data, meta },
    tokens,
    context.random,
  );
  const row: Row = {
    rid: context.numbers.next(),
    rkey,
    version,
    state: write.deleted ? TOMBSTONE : LIVE,
    tokens,
  };
  row.fixed = [
    resourceType,
    write.lastUpdatedMs,
    subject,
    data.keyId,
    meta.keyId,
    sealed.meta,
    sealed.wrapped,
    sealed.content,
  ];
  return { row, result: { key: write.key, commitment: sealed.commitment } };
}

function dataKeyOwner(
  context: VaultContext,
  session: SqlSession,
  patientId: string | null,
  subject: Uint8Array,
  category: Category,
  staged: StagedKeys,
): Promise<CategoryKey> {
  return category === 'sealed'
    ? sealedKeyFor(context, session, patientId, staged)
    : context.keys.ensure(session, subject, category, staged);
}

function supersede(row: Row): void {
  row.state = SUPERSEDED;
  row.tokens = NO_TOKENS;
}

async function storeRows(
  session: SqlSession,
  replaced: readonly Row[],
  added: readonly Row[],
): Promise<void> {
  const superseded = replaced.map(({ rid }) => [NO_TOKENS, rid]);
  await session.runEach(`UPDATE records SET state = ${SUPERSEDED}, tokens = ? WHERE rid = ?`, superseded);
  for (const { rid, tokens } of replaced) await deleteTokens(session, rid, tokens);
  await session.insert('records', RECORD_COLUMNS, added.map(columnsOf));
  await session.index(added);
}

/** In the order of RECORD_COLUMNS; a new version is not anchored. */
function columnsOf(row: Row): SqlValue[] {
  const [resourceType, updatedMs, ...rest] = row.fixed ?? [];
  const [subject, keyId, metaKeyId, meta, wrapped, content] = rest;
  return [
    row.rid,
    row.rkey,
    row.version,
    resourceType,
    updatedMs,
    row.state,
    0,
    subject,
    keyId,
    metaKeyId,
    meta,
    wrapped,
    content,
    row.tokens,
  ] as SqlValue[];
}

/** Takes a record out of the index. */
export async function deleteTokens(session: SqlSession, rid: number, tokens: Uint8Array): Promise<void> {
  const places = splitTokens(tokens).map((token) => [token, rid]);
  await session.runEach('DELETE FROM tokens WHERE token = ? AND rid = ?', places);
}
