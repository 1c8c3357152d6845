import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes';
import { parseDateTime } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { HistoryQuery, RecordReader, SealedRecord } from '../../vault/index.ts';
import type { RepositoryDeps, RequestScope } from '../fhir-deps.ts';
import { isSealedAway, promisesOf, type VisibleRecord } from '../gate/index.ts';
import { inTurn } from '../in-turn.ts';
import { notFoundError } from './denial.ts';

const DEFAULT_COUNT = 100;
const MAX_COUNT = 1000;
/** The last version of a page. */
type Cursor = readonly [lastUpdatedMs: number, id: string, version: number];

export type HistoryContext = Pick<RepositoryDeps, 'gate' | 'baseUrl' | 'cursors'> & {
  readonly store: Pick<RecordReader, 'history'>;
  readonly scope: RequestScope;
};

export function parseHistoryQuery(
  { cursors, scope }: Pick<HistoryContext, 'cursors' | 'scope'>,
  resourceType: string,
  id: string | undefined,
  search: string,
): HistoryQuery {
  const parameters = new URLSearchParams(search);
  const count = Number(parameters.get('_count') ?? DEFAULT_COUNT);
  if (!Number.isInteger(count) || count < 1)
    throw new AppError('invalid-search', '_count is a whole number above 0.');
  const since = parameters.get('_since');
  const sinceMs = since === null ? undefined : parseDateTime(since)?.startMs;
  if (since !== null && sinceMs === undefined)
    throw new AppError('invalid-search', '_since is an instant such as 2024-05-01T10:00:00Z.');
  const cursor = parameters.get('_cursor');
  const query: HistoryQuery = {
    resourceType,
    ...(id !== undefined && { id }),
    ...(sinceMs !== undefined && { sinceMs }),
    limit: Math.min(count, MAX_COUNT),
  };
  if (cursor === null) return query;
  const [lastUpdatedMs, lastId, version] = cursors.open(scope.session, boundTo(query), cursor) as Cursor;
  return { ...query, after: { lastUpdatedMs, id: lastId, version } };
}

/** What a cursor is for: pages may differ in size, but not in what is listed. */
function boundTo({ resourceType, id, sinceMs }: HistoryQuery): string {
  return JSON.stringify(['_history', resourceType, id ?? null, sinceMs ?? null]);
}

/** The versions the requester may see. One of which nothing may be seen looks like one that never was. */
export async function historyBundle(context: HistoryContext, query: HistoryQuery): Promise<Bundle> {
  const limit = query.limit ?? DEFAULT_COUNT;
  const visible = await visibleVersions(context, query, limit + 1);
  if (visible.length === 0 && query.id !== undefined && query.after === undefined) throw notFoundError();
  const page = visible.slice(0, limit);
  context.scope.promises.push(...promisesOf(page));
  const entries = await inTurn(page, (one) => entryOf(context, one));
  const last = visible.length > limit ? page.at(-1)?.record : undefined;
  return {
    resourceType: 'Bundle',
    type: 'history',
    ...(last !== undefined && { link: [{ relation: 'next', url: nextLink(context, query, last) }] }),
    entry: entries.filter((entry) => entry !== undefined),
  };
}

/** Counts what may be seen, not what is there: a page that hidden versions fill, or end, would tell of them. */
async function visibleVersions(
  { store, gate, scope }: HistoryContext,
  query: HistoryQuery,
  wanted: number,
): Promise<readonly VisibleRecord<string>[]> {
  for await (const visible of gate.visibleAmong(
    scope.session,
    versionPages(store, query, wanted),
    'history',
    wanted,
  ))
    return visible;
  return [];
}

async function* versionPages(
  store: HistoryContext['store'],
  query: HistoryQuery,
  limit: number,
): AsyncGenerator<SealedRecord[]> {
  let after = query.after;
  for (;;) {
    const records = await store.history({ ...query, limit, ...(after !== undefined && { after }) });
    yield records;
    const last = records.at(-1);
    if (records.length < limit || last === undefined) return;
    after = { lastUpdatedMs: last.lastUpdatedMs, id: last.key.id, version: last.key.version };
  }
}

async function entryOf(
  context: HistoryContext,
  { record, open }: VisibleRecord<string>,
): Promise<BundleEntry | undefined> {
  const { resourceType, id, version } = record.key;
  const response = {
    status: record.deleted ? '204' : version === 1 ? '201' : '200',
    etag: `W/"${version}"`,
    lastModified: new Date(record.lastUpdatedMs).toISOString(),
  };
  const request = {
    method: record.deleted ? ('DELETE' as const) : ('PUT' as const),
    url: `${resourceType}/${id}`,
  };
  const fullUrl = `${context.baseUrl()}/${resourceType}/${id}`;
  if (record.deleted) return { fullUrl, request, response };
  try {
    const resource = (await open()) as Resource | null | undefined;
    if (resource === null || resource === undefined) return undefined;
    context.scope.budget.countContent(resource);
    return { fullUrl, resource, request, response };
  } catch (failure) {
    // That it was written is no secret to its patient; what it says is with the wallet (GET /wallet/sealed).
    if (isSealedAway(failure)) return { fullUrl, request, response };
    throw failure;
  }
}

function nextLink(context: HistoryContext, query: HistoryQuery, last: SealedRecord): string {
  const path = query.id === undefined ? query.resourceType : `${query.resourceType}/${query.id}`;
  const place: Cursor = [last.lastUpdatedMs, last.key.id, last.key.version];
  const cursor = context.cursors.seal(context.scope.session, boundTo(query), place);
  const since = query.sinceMs === undefined ? '' : `&_since=${new Date(query.sinceMs).toISOString()}`;
  return `${context.baseUrl()}/${path}/_history?_count=${query.limit}${since}&_cursor=${cursor}`;
}
