import type { Resource } from '@medplum/fhirtypes';
import type { SealedRecord } from '../../vault/index.ts';
import { findMatches, openMatch, refuseUnknownType, type SearchContext, targetsOf } from './find-matches.ts';
import { badSearch, type IncludeRule, type SearchQuery } from './search-query.ts';

const MAX_ROUNDS = 5;
const MAX_INCLUDED = 1000;
const MAX_TARGETS = 5000;

/** What `_include` and `_revinclude` add to a page: only what the requester may see, each once. */
export async function includedResources(
  context: SearchContext,
  query: SearchQuery,
  page: readonly Resource[],
): Promise<Resource[]> {
  for (const rule of [...query.include, ...query.revInclude]) parametersOf(context, rule);
  const found = new Map(page.map((resource) => [nameOf(resource), resource]));
  let fresh: readonly Resource[] = page;
  for (let round = 0; round < MAX_ROUNDS && fresh.length > 0; round += 1) {
    const applies = (rule: IncludeRule) => round === 0 || rule.isIterated;
    const next = [
      ...(await Promise.all(query.include.filter(applies).map((rule) => forward(context, rule, fresh)))),
      ...(await Promise.all(query.revInclude.filter(applies).map((rule) => backward(context, rule, fresh)))),
    ].flat();
    fresh = [...new Map(next.map((resource) => [nameOf(resource), resource])).values()].filter(
      (resource) => !found.has(nameOf(resource)),
    );
    for (const resource of fresh) found.set(nameOf(resource), resource);
    if (found.size - page.length > MAX_INCLUDED)
      throw badSearch(`More than ${MAX_INCLUDED} resources would be included. Ask for a smaller page.`);
  }
  return [...found.values()].slice(page.length);
}

async function forward(
  context: SearchContext,
  rule: IncludeRule,
  resources: readonly Resource[],
): Promise<Resource[]> {
  const targets = new Set<string>();
  for (const resource of resources) {
    if (resource.resourceType !== rule.source) continue;
    for (const parameter of parametersOf(context, rule)) {
      for (const { type, id } of targetsOf(context, parameter, resource)) {
        const isWanted = rule.target === undefined || rule.target === type;
        if (isWanted && context.definitions.resourceTypes.has(type)) targets.add(`${type}/${id}`);
      }
    }
  }
  // Counted before it is looked whether they are there: how many of them are would tell of what may not be seen.
  if (targets.size > MAX_TARGETS)
    throw badSearch(
      `A page that refers to more than ${MAX_TARGETS} resources cannot include them. Ask for a smaller one.`,
    );
  const records = await Promise.all(
    [...targets].map((target) => context.reader.read(...(target.split('/') as [string, string]))),
  );
  return openVisible(
    context,
    records.filter((record): record is SealedRecord => record !== undefined && !record.deleted),
  );
}

async function backward(
  context: SearchContext,
  rule: IncludeRule,
  resources: readonly Resource[],
): Promise<Resource[]> {
  const wanted = resources
    .filter((resource) => rule.target === undefined || resource.resourceType === rule.target)
    .map(nameOf);
  const [parameter] = parametersOf(context, rule);
  if (wanted.length === 0 || parameter === undefined) return [];
  const matches = await findMatches(context, rule.source, [
    { name: parameter.code, value: wanted.join(',') },
  ]);
  return (await Promise.all(matches.map(openMatch))).filter((resource) => resource !== undefined);
}

async function openVisible(context: SearchContext, records: readonly SealedRecord[]): Promise<Resource[]> {
  if (records.length === 0) return [];
  const { records: visible, promises } = await context.deps.gate.visible(
    context.scope.session,
    records,
    'search',
  );
  context.scope.promises.push(...promises);
  const opened = await Promise.all(visible.map((record) => record.open()));
  return opened.filter((resource) => resource !== null && resource !== undefined) as unknown as Resource[];
}

function parametersOf(context: SearchContext, rule: IncludeRule) {
  const { parameters } = context.definitions;
  refuseUnknownType(context, rule.source);
  if (rule.code === '*')
    return parameters.all(rule.source).filter((parameter) => parameter.type === 'reference');
  const parameter = parameters.find(rule.source, rule.code);
  if (parameter?.type !== 'reference')
    throw badSearch(
      `${rule.source.slice(0, 64)} has no reference parameter ${rule.code.slice(0, 64)} to include by.`,
    );
  return [parameter];
}

function nameOf(resource: Resource): string {
  return `${resource.resourceType}/${resource.id}`;
}
