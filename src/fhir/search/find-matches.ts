import type { Resource } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import type {
  FindCursor,
  FindQuery,
  RecordReader,
  SealedRecord,
  TokenExpression,
} from '../../vault/index.ts';
import { type LocalTarget, localTarget } from '../definitions/references.ts';
import type { CompiledParameter } from '../definitions/search-parameters.ts';
import type { FhirDefinitions, RepositoryDeps, RequestScope } from '../fhir-deps.ts';
import { isSealedAway, promisesOf, type VisibleRecord } from '../gate/index.ts';
import { inTurn } from '../in-turn.ts';
import { dateBounds, filterExpression, referenceTo } from './filter-expression.ts';
import { type ContentFilter, matchesContent } from './matches-content.ts';
import {
  badSearch,
  conditionOfNothing,
  type SearchFilter,
  splitOnce,
  splitValues,
  unescapeValue,
} from './search-query.ts';

/** What a search needs of the rest of the FHIR surface. */
export type SearchContext = {
  readonly deps: Pick<RepositoryDeps, 'gate' | 'baseUrl' | 'cursors'>;
  readonly definitions: Pick<FhirDefinitions, 'parameters' | 'compartment' | 'resourceTypes'>;
  readonly reader: Pick<RecordReader, 'find' | 'read'>;
  readonly scope: RequestScope;
  /** Prefer: handling=lenient ignores parameters that nobody knows, and says so. */
  readonly isLenient: boolean;
  /** The condition of a write: it has to say what it looks for. */
  readonly isOfWrite: boolean;
  readonly ignored: string[];
  /** What would be in the answer, and is for its patient's wallet alone. */
  readonly sealed: Set<string>;
};

/** A record the requester may see, and its content when the search had to open it. */
export type Match = { readonly visible: VisibleRecord<string>; readonly opened?: Resource };

type Plan = {
  where: TokenExpression[];
  ids?: Set<string>;
  fromMs?: number;
  beforeMs?: number;
  /** Each has to be met, by one of its alternatives. */
  content: ContentFilter[][];
  needsContent: boolean;
  /** Whether a filter says what is looked for, and not only what is not, or when it was written. */
  saysWhat: boolean;
  ranges: number;
};

const MAX_MATCHES = 10_000;
const PAGE = 5000;
const MAX_CHAINED = 1000;
const MAX_RANGES = 100;
const RANGES: ReadonlySet<string> = new Set(['date', 'number', 'quantity']);
const WITHOUT_MODIFIER: ReadonlySet<string> = new Set(['_id', '_lastUpdated']);
const MAX_CHAIN_DEPTH = 4;

/** Every record of a type that matches and that the requester may see, newest first. */
export async function findMatches(
  context: SearchContext,
  type: string,
  filters: readonly SearchFilter[],
  depth = 0,
): Promise<Match[]> {
  if (depth > MAX_CHAIN_DEPTH) throw badSearch(`Chains are at most ${MAX_CHAIN_DEPTH} links long.`);
  const plan: Plan = { where: [], content: [], needsContent: false, saysWhat: false, ranges: 0 };
  for (const filter of filters) await addFilter(context, type, filter, plan, depth);
  if (context.isOfWrite && !plan.saysWhat) throw conditionOfNothing();
  await context.scope.budget.countFind();
  const matches: Match[] = [];
  const { gate } = context.deps;
  const pages = candidatePages(context, type, plan);
  for await (const visible of gate.visibleAmong(context.scope.session, pages, 'search', PAGE)) {
    matches.push(...(await confirmed(context, visible, plan)));
    // Counted after the gate, so that the limit tells nothing of what may not be seen.
    if (matches.length > MAX_MATCHES) throw tooMany();
  }
  // Of what does not match for who asks, though the index found it, the promises would tell of a part that is hidden.
  context.scope.promises.push(...promisesOf(matches.map(({ visible }) => visible)));
  return matches;
}

function tooMany(): AppError {
  return new AppError(
    'too-many',
    `More than ${MAX_MATCHES} records match. Narrow the search, for example with patient or date.`,
  );
}

/** Those of which what the requester sees matches. */
async function confirmed(
  context: SearchContext,
  visible: readonly VisibleRecord<string>[],
  plan: Plan,
): Promise<Match[]> {
  if (!plan.needsContent && !visible.some(({ hasHiddenParts }) => hasHiddenParts))
    return visible.map((one) => ({ visible: one }));
  const matches = await inTurn(visible, (one) => confirm(context, one, plan));
  return matches.filter((match) => match !== undefined);
}

/** What is opened and does not match is not counted, nor what is opened for its hidden parts alone: it would tell of them. */
async function confirm(
  context: SearchContext,
  visible: VisibleRecord<string>,
  plan: Plan,
): Promise<Match | undefined> {
  const { deps, scope } = context;
  if (!plan.needsContent && !visible.hasHiddenParts) return { visible };
  const opened = (await openUnlessSealed(context, visible)) as Resource | null | undefined;
  if (opened === null || opened === undefined) return undefined;
  const matches = (filter: ContentFilter) => matchesContent(filter, opened, deps.baseUrl());
  if (!plan.content.every((filters) => filters.some(matches))) return undefined;
  if (!plan.needsContent) return { visible };
  scope.budget.countContent(opened);
  return { visible, opened };
}

/** What the index finds, page by page; the newest first. */
async function* candidatePages(
  context: SearchContext,
  type: string,
  plan: Plan,
): AsyncGenerator<SealedRecord[]> {
  if (plan.ids?.size === 0) return;
  const query: FindQuery = {
    types: [type],
    where: { all: plan.where },
    ...(plan.ids !== undefined && { ids: [...plan.ids] }),
    lastUpdated: {
      ...(plan.fromMs !== undefined && { fromMs: plan.fromMs }),
      ...(plan.beforeMs !== undefined && { beforeMs: plan.beforeMs }),
    },
    limit: PAGE,
  };
  let after: FindCursor | undefined;
  for (;;) {
    const found = await context.reader.find({ ...query, ...(after !== undefined && { after }) });
    if (found.length > 0) yield found;
    const last = found.at(-1);
    if (found.length < PAGE || last === undefined) return;
    after = { lastUpdatedMs: last.lastUpdatedMs, resourceType: last.key.resourceType, id: last.key.id };
  }
}

async function addFilter(
  context: SearchContext,
  type: string,
  filter: SearchFilter,
  plan: Plan,
  depth: number,
): Promise<void> {
  if (filter.anyOf !== undefined) return addAnyOf(context, type, filter.anyOf, filter.value, plan);
  if (filter.name === '_id') return addIds(plan, splitValues(filter.value).map(unescapeValue));
  if (filter.name === '_lastUpdated') return addLastUpdated(plan, filter.value);
  if (filter.name.startsWith('_has:'))
    return addIds(plan, await reverseChained(context, type, filter, depth));
  const dot = filter.name.indexOf('.');
  if (dot > 0) return addChained(context, type, filter, dot, plan, depth);
  addPlain(context, type, filter, plan, depth);
}

function addPlain(
  context: SearchContext,
  type: string,
  filter: SearchFilter,
  plan: Plan,
  depth: number,
): void {
  const [code, modifier] = splitOnce(filter.name, ':');
  if (WITHOUT_MODIFIER.has(code)) throw badSearch(`${code} takes no modifier.`);
  const parameter = context.definitions.parameters.find(type, code);
  if (parameter === undefined) {
    // The end of a chain that is passed over would leave a chain to anything.
    if (!context.isLenient || depth > 0)
      throw badSearch(`${type} has no search parameter ${code.slice(0, 64)}. /metadata lists those it has.`);
    context.ignored.push(code);
    return;
  }
  countRanges(parameter, filter.value, plan);
  const match = filterExpression(parameter, modifier, filter.value, context.deps.baseUrl());
  plan.content.push([{ parameter, modifier, value: filter.value }]);
  // An absence is judged on what the requester sees: the index would tell of hidden parts by leaving a record out.
  const isOfAbsence = asksForAbsence(match.where);
  if (!isOfAbsence) plan.where.push(match.where);
  if (!isOfAbsence && modifier !== 'missing') plan.saysWhat = true;
  if (isOfAbsence || !match.exact) plan.needsContent = true;
}

/** A range is looked for by the hundred intervals that it is made of. */
function countRanges({ type, components }: CompiledParameter, value: string, plan: Plan): void {
  const isRange = RANGES.has(type) || components.some((component) => RANGES.has(component.type));
  plan.ranges += isRange ? splitValues(value).length : 0;
  if (plan.ranges > MAX_RANGES)
    throw new AppError(
      'too-many',
      `A search has at most ${MAX_RANGES} dates, numbers and quantities. Split it into several.`,
    );
}

/** Whether what is not there can make a record match: by `:not`, `:missing`, or `ne` before any of the values. */
function asksForAbsence(where: TokenExpression): boolean {
  if ('not' in where) return true;
  if ('token' in where) return false;
  return ('all' in where ? where.all : where.any).some(asksForAbsence);
}

/** What refers to the value by one of these parameters. */
function addAnyOf(
  context: SearchContext,
  type: string,
  codes: readonly string[],
  value: string,
  plan: Plan,
): void {
  const parameters = codes.flatMap((code) => context.definitions.parameters.find(type, code) ?? []);
  plan.where.push({ any: parameters.map(({ code }) => referenceTo(code, value)) });
  plan.content.push(parameters.map((parameter) => ({ parameter, modifier: undefined, value })));
}

function addIds(plan: Plan, ids: Iterable<string>): void {
  plan.saysWhat = true;
  const wanted = new Set(ids);
  const before = plan.ids;
  plan.ids = before === undefined ? wanted : new Set([...wanted].filter((id) => before.has(id)));
}

function addLastUpdated(plan: Plan, value: string): void {
  const { prefix, fromMs, untilMs } = dateBounds('_lastUpdated', value);
  const [from, before] = {
    eq: [fromMs, untilMs],
    gt: [untilMs, undefined],
    sa: [untilMs, undefined],
    ge: [fromMs, undefined],
    lt: [undefined, fromMs],
    eb: [undefined, fromMs],
    le: [undefined, untilMs],
    ne: [],
    ap: [fromMs, untilMs],
  }[prefix];
  if (prefix === 'ne') throw badSearch('The prefix ne is not supported on _lastUpdated.');
  if (from !== undefined) plan.fromMs = Math.max(plan.fromMs ?? from, from);
  if (before !== undefined) plan.beforeMs = Math.min(plan.beforeMs ?? before, before);
}

/** `subject:Patient.name=Smith`: finds the targets that the requester may see, then what refers to them. */
async function addChained(
  context: SearchContext,
  type: string,
  filter: SearchFilter,
  dot: number,
  plan: Plan,
  depth: number,
): Promise<void> {
  const [code, named] = splitOnce(filter.name.slice(0, dot), ':');
  const rest = filter.name.slice(dot + 1);
  if (named !== undefined) refuseUnknownType(context, named);
  const parameter = context.definitions.parameters.find(type, code);
  if (parameter?.type !== 'reference')
    throw badSearch(
      `${code.slice(0, 64)} is not a reference parameter of ${type}, so nothing can be chained to it.`,
    );
  const first = rest.split(/[.:]/)[0] as string;
  const targets =
    named === undefined
      ? parameter.targets.filter(
          (target) => first === '_id' || context.definitions.parameters.find(target, first) !== undefined,
        )
      : [named];
  if (targets.length === 0)
    throw badSearch(`No target of ${code} has a search parameter ${first.slice(0, 64)}.`);
  const references: string[] = [];
  for (const target of targets) {
    const found = await findMatches(context, target, [{ name: rest, value: filter.value }], depth + 1);
    references.push(...found.map(referenceOf));
    if (references.length > MAX_CHAINED)
      throw new AppError('too-many', `The chain has more than ${MAX_CHAINED} targets. Narrow the search.`);
  }
  plan.saysWhat = true;
  plan.where.push({ any: references.map((reference) => referenceTo(code, reference)) });
  // What refers to the target by a part that the requester may not see does not match.
  plan.content.push([{ parameter, modifier: undefined, value: references.join(',') }]);
}

/** `_has:Observation:patient:code=1234`: finds the referring records that the requester may see, then their targets. */
async function reverseChained(
  context: SearchContext,
  type: string,
  filter: SearchFilter,
  depth: number,
): Promise<string[]> {
  const [, source, code, ...rest] = filter.name.split(':');
  if (source !== undefined) refuseUnknownType(context, source);
  const parameter =
    source === undefined || code === undefined
      ? undefined
      : context.definitions.parameters.find(source, code);
  if (source === undefined || parameter?.type !== 'reference' || rest.length === 0)
    throw badSearch('_has is written _has:Type:reference-parameter:parameter=value.');
  const matches = await findMatches(
    context,
    source,
    [{ name: rest.join(':'), value: filter.value }],
    depth + 1,
  );
  const resources = await inTurn(matches, (match) => openMatch(context, match));
  return resources
    .flatMap((resource) => (resource === undefined ? [] : targetsOf(context, parameter, resource)))
    .flatMap((target) => (target.type === type ? [target.id] : []));
}

export function refuseUnknownType({ definitions }: SearchContext, type: string): void {
  if (!definitions.resourceTypes.has(type))
    throw badSearch(`There is no resource type ${type.slice(0, 64)} in R4.`);
}

/** The content of a match as the requester sees it; undefined when it may not be seen any more. */
export async function openMatch(
  context: SearchContext,
  { visible, opened }: Match,
): Promise<Resource | undefined> {
  if (opened !== undefined) return opened;
  const content = (await openUnlessSealed(context, visible)) as Resource | null | undefined;
  if (content === null || content === undefined) return undefined;
  context.scope.budget.countContent(content);
  return content;
}

/** One sealed record does not keep its patient from the others. A write has to know all that meets its condition. */
async function openUnlessSealed(
  { sealed, isOfWrite }: SearchContext,
  { record, open }: VisibleRecord<string>,
): ReturnType<VisibleRecord<string>['open']> {
  try {
    return await open();
  } catch (failure) {
    if (isOfWrite || !isSealedAway(failure)) throw failure;
    sealed.add(`${record.key.resourceType}/${record.key.id}`);
    return undefined;
  }
}

/** The resources of this server that a resource refers to by a parameter. */
export function targetsOf(
  context: SearchContext,
  parameter: CompiledParameter,
  resource: Resource,
): LocalTarget[] {
  const ownBase = context.deps.baseUrl();
  return parameter.valuesOf(resource, ownBase).flatMap((value) => {
    const reference = typeof value === 'string' ? value : (value as { reference?: unknown }).reference;
    return typeof reference === 'string' ? (localTarget(reference, ownBase) ?? []) : [];
  });
}

export function referenceOf(match: Match): string {
  const { resourceType, id } = match.visible.record.key;
  return `${resourceType}/${id}`;
}
