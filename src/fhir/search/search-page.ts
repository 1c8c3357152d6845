import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes';
import { loadDefinitions } from '../definitions/structure-definitions.ts';
import { inTurn } from '../in-turn.ts';
import { findMatches, type Match, openMatch, type SearchContext } from './find-matches.ts';
import { includedResources } from './include.ts';
import { badSearch, type SearchFilter, type SearchQuery, splitOnce } from './search-query.ts';
import { sortMatches } from './sort.ts';
import { subsetOf } from './summary.ts';

type Found = {
  readonly match: Match;
  readonly lastUpdatedMs: number;
  readonly type: string;
  readonly id: string;
};
/**
 * Where a page ended: the last match of it, and when it was written; when the search was sorted, how many came up to it. What it
 * was sorted by is the patient's, and stays out of addresses.
 */
type Cursor = readonly [lastUpdatedMsOrPlace: number, type: string, id: string];

/** One page of a search: what the requester may see and nothing that tells of the rest, in total, links and order too. */
export async function searchPage(context: SearchContext, query: SearchQuery): Promise<Bundle> {
  if (query.types.length === 0)
    throw badSearch('A search over all types names them: _type=Patient,Observation.');
  const found: Found[] = [];
  for (const type of query.types)
    found.push(...(await findMatches(context, type, filtersOf(context, query, type))).map(describe));
  if (query.summary === 'count' || query.count === 0)
    return {
      resourceType: 'Bundle',
      type: 'searchset',
      total: found.length,
      link: [selfLink(context, query)],
    };
  const ordered = await order(context, query, found);
  const rest = after(context, ordered, query);
  const page = rest.slice(0, query.count);
  const opened = (await inTurn(page, ({ match }) => openMatch(context, match))).filter(
    (resource) => resource !== undefined,
  );
  const included = await includedResources(context, query, opened);
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...(query.total !== 'none' && { total: found.length }),
    link: links(context, query, page, rest.length, ordered.length),
    entry: [
      ...opened.map((one) => entryOf(context, query, one, 'match')),
      ...included.map((one) => entryOf(context, query, one, 'include')),
      ...ignoredEntry(context),
      ...sealedEntry(context),
    ],
  };
}

/** A compartment is what any of the type's links to it leads to (R4 compartments). */
function filtersOf(
  { definitions }: SearchContext,
  query: SearchQuery,
  type: string,
): readonly SearchFilter[] {
  if (query.compartment === undefined) return query.filters;
  const anyOf = definitions.compartment.parametersOf(type) ?? [];
  return [{ name: '', anyOf, value: `Patient/${query.compartment}` }, ...query.filters];
}

function describe(match: Match): Found {
  const { key, lastUpdatedMs } = match.visible.record;
  return { match, lastUpdatedMs, type: key.resourceType, id: key.id };
}

async function order(context: SearchContext, query: SearchQuery, found: Found[]): Promise<Found[]> {
  if (query.sort.length === 0) return found.sort(byNewest);
  const opened = await inTurn(found, async (one) => ({
    ...one,
    resource: await openMatch(context, one.match),
  }));
  const sortable = opened.filter((one): one is Found & { resource: Resource } => one.resource !== undefined);
  const kept = sortable.map((one) => ({ ...one, match: { ...one.match, opened: one.resource } }));
  return sortMatches(kept, query.sort, context.definitions.parameters, context.deps.baseUrl());
}

function byNewest(left: Found, right: Found): number {
  if (left.lastUpdatedMs !== right.lastUpdatedMs) return right.lastUpdatedMs - left.lastUpdatedMs;
  return `${left.type}/${left.id}` < `${right.type}/${right.id}` ? -1 : 1;
}

function after(context: SearchContext, ordered: readonly Found[], query: SearchQuery): readonly Found[] {
  if (query.cursor === undefined) return ordered;
  const cursor = context.deps.cursors.open(
    context.scope.session,
    urlOf(context, query, []),
    query.cursor,
  ) as Cursor;
  const [lastUpdatedMs, type, id] = cursor;
  if (query.sort.length > 0) {
    // It may stand elsewhere by now; where it is gone, so many came before it.
    const place = ordered.findIndex((one) => one.type === type && one.id === id);
    return ordered.slice(place < 0 ? lastUpdatedMs : place + 1);
  }
  return ordered.filter(
    (one) =>
      byNewest({ match: one.match, lastUpdatedMs, type, id }, one) < 0 &&
      !(one.type === type && one.id === id),
  );
}

function links(
  context: SearchContext,
  query: SearchQuery,
  page: readonly Found[],
  left: number,
  all: number,
): NonNullable<Bundle['link']> {
  const last = page.at(-1);
  const own = [selfLink(context, query)];
  if (left <= page.length || last === undefined) return own;
  const cursor: Cursor =
    query.sort.length > 0
      ? [all - left + page.length, last.type, last.id]
      : [last.lastUpdatedMs, last.type, last.id];
  const text = context.deps.cursors.seal(context.scope.session, urlOf(context, query, []), cursor);
  return [...own, { relation: 'next', url: urlOf(context, query, [['_cursor', text]]) }];
}

function selfLink(context: SearchContext, query: SearchQuery): { relation: string; url: string } {
  return { relation: 'self', url: urlOf(context, query, []) };
}

function urlOf(
  context: SearchContext,
  query: SearchQuery,
  extra: readonly (readonly [string, string])[],
): string {
  const within = query.compartment === undefined ? '' : `/Patient/${query.compartment}`;
  const path = query.types.length === 1 ? `${within}/${query.types[0]}` : '';
  const search = new URLSearchParams(
    [...query.pairs.filter(([name]) => !isIgnored(context, name)), ...extra].map(
      ([name, value]): [string, string] => [name, value],
    ),
  ).toString();
  return `${context.deps.baseUrl()}${path}${search === '' ? '' : `?${search}`}`;
}

/** R4 search, "self": the link says what the answer was made by. */
function isIgnored({ ignored }: SearchContext, name: string): boolean {
  return ignored.includes(splitOnce(name, ':')[0]);
}

function entryOf(
  context: SearchContext,
  query: SearchQuery,
  resource: Resource,
  mode: 'match' | 'include',
): BundleEntry {
  const fullUrl = `${context.deps.baseUrl()}/${resource.resourceType}/${resource.id}`;
  return { fullUrl, resource: subsetOf(resource, query, loadDefinitions().structures), search: { mode } };
}

function ignoredEntry(context: SearchContext): BundleEntry[] {
  if (context.ignored.length === 0) return [];
  const text = `Ignored, because no search parameter has that name: ${[...new Set(context.ignored)].join(', ').slice(0, 512)}`;
  return [warning('not-supported', text)];
}

function sealedEntry({ sealed }: SearchContext): BundleEntry[] {
  if (sealed.size === 0) return [];
  const text = `Not shown, because only the patient's wallet opens what is sealed: ${sealed.size}. GET /wallet/sealed names them.`;
  return [warning('suppressed', text)];
}

function warning(code: 'not-supported' | 'suppressed', text: string): BundleEntry {
  const resource: Resource = {
    resourceType: 'OperationOutcome',
    issue: [{ severity: 'warning', code, details: { text } }],
  };
  return { resource, search: { mode: 'outcome' } };
}
