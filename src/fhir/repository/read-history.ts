import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes';
import { parseDateTime } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { HistoryQuery, RecordReader, SealedRecord } from '../../vault/index.ts';
import type { FhirDeps, RequestScope } from '../fhir-deps.ts';
import type { VisibleRecord } from '../gate/index.ts';
import { notFoundError } from './denial.ts';

const DEFAULT_COUNT = 100;
const MAX_COUNT = 1000;

export type HistoryContext = Pick<FhirDeps, 'gate' | 'baseUrl'> & {
  readonly store: Pick<RecordReader, 'history'>;
  readonly scope: RequestScope;
};

export function parseHistoryQuery(
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
  return {
    resourceType,
    ...(id !== undefined && { id }),
    ...(sinceMs !== undefined && { sinceMs }),
    ...(cursor !== null && { after: parseCursor(cursor) }),
    limit: Math.min(count, MAX_COUNT),
  };
}

/** The versions the requester may see. One of which nothing may be seen looks like one that never was. */
export async function historyBundle(context: HistoryContext, query: HistoryQuery): Promise<Bundle> {
  const records = await context.store.history(query);
  const { records: visible, promises } = await context.gate.visible(
    context.scope.session,
    records,
    'history',
  );
  context.scope.promises.push(...promises);
  if (visible.length === 0 && query.id !== undefined && query.after === undefined) throw notFoundError();
  const entries = await Promise.all(visible.map((one) => entryOf(context, one)));
  const last = records.at(-1);
  const isFull = records.length === query.limit && last !== undefined;
  return {
    resourceType: 'Bundle',
    type: 'history',
    ...(isFull && { link: [{ relation: 'next', url: nextLink(context, query, last) }] }),
    entry: entries.filter((entry) => entry !== undefined),
  };
}

async function entryOf(
  context: HistoryContext,
  { record, open }: VisibleRecord,
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
  const resource = (await open()) as Resource | null | undefined;
  return resource === null || resource === undefined ? undefined : { fullUrl, resource, request, response };
}

function nextLink(context: HistoryContext, query: HistoryQuery, last: SealedRecord): string {
  const path = query.id === undefined ? query.resourceType : `${query.resourceType}/${query.id}`;
  const cursor = Buffer.from(JSON.stringify([last.lastUpdatedMs, last.key.id, last.key.version])).toString(
    'base64url',
  );
  return `${context.baseUrl()}/${path}/_history?_count=${query.limit}&_cursor=${cursor}`;
}

function parseCursor(cursor: string): NonNullable<HistoryQuery['after']> {
  try {
    const [lastUpdatedMs, id, version] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [
      unknown,
      unknown,
      unknown,
    ];
    if (typeof lastUpdatedMs === 'number' && typeof id === 'string' && typeof version === 'number')
      return { lastUpdatedMs, id, version };
  } catch {
    // Falls through to the refusal: whatever is not a cursor of ours is refused alike.
  }
  throw new AppError(
    'invalid-search',
    'The cursor is not one that this server made. Start again without it.',
  );
}
