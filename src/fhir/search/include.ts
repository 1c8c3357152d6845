import type { Resource } from '@medplum/fhirtypes';
import type { SealedRecord } from '../../vault/index.ts';
import { inTurn } from '../in-turn.ts';
import {
  findMatches,
  type Match,
  openMatch,
  referenceOf,
  refuseUnknownType,
  type SearchContext,
  targetsOf,
} from './find-matches.ts';
import { badSearch, type IncludeRule, type SearchQuery } from './search-query.ts';

const MAX_ROUNDS = 5;
const MAX_INCLUDED = 1000;
const MAX_TARGETS = 5000;

/** What is included so far, and the names of all that was looked for or is on the page: each is opened once. */
type Gathered = { readonly seen: Set<string>; readonly resources: Resource[] };

/** What `_include` and `_revinclude` add to a page: only what the requester may see, each once. */
export async function includedResources(
  context: SearchContext,
  query: SearchQuery,
  page: readonly Resource[],
): Promise<Resource[]> {
  for (const rule of [...query.include, ...query.revInclude]) parametersOf(context, rule);
  const gathered: Gathered = { seen: new Set(page.map(nameOf)), resources: [] };
  let fresh: readonly Resource[] = page;
  for (let round = 0; round < MAX_ROUNDS && fresh.length > 0; round += 1) {
    const before = gathered.resources.length;
    const applies = (rule: IncludeRule) => round === 0 || rule.isIterated;
    for (const rule of query.include.filter(applies)) await forward(context, rule, fresh, gathered);
    for (const rule of query.revInclude.filter(applies)) await backward(context, rule, fresh, gathered);
    fresh = gathered.resources.slice(before);
  }
  return gathered.resources;
}

async function forward(
  context: SearchContext,
  rule: IncludeRule,
  resources: readonly Resource[],
  gathered: Gathered,
): Promise<void> {
  const targets = new Set<string>();
  for (const resource of resources) {
    if (resource.resourceType !== rule.source) continue;
    for (const parameter of parametersOf(context, rule)) {
      for (const { type, id } of targetsOf(context, parameter, resource)) {
        const isWanted = rule.target === undefined || rule.target === type;
        const name = `${type}/${id}`;
        if (isWanted && context.definitions.resourceTypes.has(type) && !gathered.seen.has(name))
          targets.add(name);
      }
    }
  }
  // Counted before it is looked whether they are there: how many of them are would tell of what may not be seen.
  if (targets.size > MAX_TARGETS)
    throw badSearch(
      `A page that refers to more than ${MAX_TARGETS} resources cannot include them. Ask for a smaller one.`,
    );
  for (const target of targets) gathered.seen.add(target);
  const read = await inTurn([...targets], (target) =>
    context.reader.read(...(target.split('/') as [string, string])),
  );
  const records = read.filter((record) => record !== undefined && !record.deleted) as SealedRecord[];
  await add(context, await visibleOf(context, records), gathered);
}

async function backward(
  context: SearchContext,
  rule: IncludeRule,
  resources: readonly Resource[],
  gathered: Gathered,
): Promise<void> {
  const wanted = resources
    .filter((resource) => rule.target === undefined || resource.resourceType === rule.target)
    .map(nameOf);
  const [parameter] = parametersOf(context, rule);
  if (wanted.length === 0 || parameter === undefined) return;
  const matches = await findMatches(context, rule.source, [
    { name: parameter.code, value: wanted.join(',') },
  ]);
  const fresh = matches.filter((match) => !gathered.seen.has(referenceOf(match)));
  for (const match of fresh) gathered.seen.add(referenceOf(match));
  await add(context, fresh, gathered);
}

/** Counted before they are opened. */
async function add(
  context: SearchContext,
  matches: readonly Match[],
  { resources }: Gathered,
): Promise<void> {
  if (resources.length + matches.length > MAX_INCLUDED)
    throw badSearch(`More than ${MAX_INCLUDED} resources would be included. Ask for a smaller page.`);
  const opened = await inTurn(matches, (match) => openMatch(context, match));
  resources.push(...opened.filter((resource) => resource !== undefined));
}

async function visibleOf(context: SearchContext, records: readonly SealedRecord[]): Promise<Match[]> {
  if (records.length === 0) return [];
  const { records: visible, promises } = await context.deps.gate.visible(
    context.scope.session,
    records,
    'search',
  );
  context.scope.promises.push(...promises);
  return visible.map((one) => ({ visible: one }));
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
