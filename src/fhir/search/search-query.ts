import { AppError } from '../../shared/index.ts';

/** One search parameter of a request: `name[:modifier][.chain]=value`. */
export type SearchFilter = {
  readonly name: string;
  readonly value: string;
  /** Parameters of which one has to match, in place of `name`. */
  readonly anyOf?: readonly string[];
};

export type SortRule = { readonly code: string; readonly isDescending: boolean };
export type IncludeRule = {
  readonly source: string;
  readonly code: string;
  readonly target?: string;
  readonly isIterated: boolean;
};
export type SummaryMode = 'true' | 'text' | 'data' | 'count' | 'false';

export type SearchQuery = {
  readonly types: readonly string[];
  readonly filters: readonly SearchFilter[];
  readonly sort: readonly SortRule[];
  readonly count: number;
  readonly cursor?: string;
  readonly total: 'none' | 'estimate' | 'accurate';
  readonly summary: SummaryMode;
  readonly elements: readonly string[];
  readonly include: readonly IncludeRule[];
  readonly revInclude: readonly IncludeRule[];
  /** The Patient whose compartment is searched, of `/Patient/{id}/{Type}`. */
  readonly compartment?: string;
  /** The caller's own query without the cursor, for links. */
  readonly pairs: readonly (readonly [string, string])[];
};

export const MAX_COUNT = 1000;
const DEFAULT_COUNT = 20;
const MAX_PARAMETERS = 100;
const MAX_VALUE_CHARACTERS = 8192;
const IGNORED = new Set(['_format', '_pretty']);

/** Reads a query string. Everything a search may have is named here; what is not a result parameter is a filter. */
export function parseSearchQuery(types: readonly string[], search: string | URLSearchParams): SearchQuery {
  const pairs = [...new URLSearchParams(search)].filter(([name]) => !IGNORED.has(name));
  if (pairs.length > MAX_PARAMETERS) throw badSearch(`A search has at most ${MAX_PARAMETERS} parameters.`);
  if (pairs.some(([, value]) => value.length > MAX_VALUE_CHARACTERS))
    throw badSearch(`A search value has at most ${MAX_VALUE_CHARACTERS} characters.`);
  const all = (name: string) =>
    pairs.filter(([one]) => one === name).flatMap(([, value]) => value.split(','));
  const last = (name: string) => pairs.findLast(([one]) => one === name)?.[1];
  const cursor = last('_cursor');
  const asked = all('_type').filter((type) => type !== '');
  return {
    types: types.length > 0 ? types : asked,
    filters: pairs
      .filter(([name]) => !RESULT_PARAMETERS.has(name.split(':')[0] as string))
      .map(([name, value]) => ({ name, value })),
    sort: all('_sort')
      .filter((rule) => rule !== '')
      .map(parseSort),
    count: parseCount(last('_count')),
    ...(cursor !== undefined && { cursor }),
    total: oneOf('_total', last('_total') ?? 'accurate', ['none', 'estimate', 'accurate'] as const),
    summary: oneOf('_summary', last('_summary') ?? 'false', [
      'true',
      'text',
      'data',
      'count',
      'false',
    ] as const),
    elements: all('_elements').filter((element) => element !== ''),
    include: includeRules(pairs, '_include'),
    revInclude: includeRules(pairs, '_revinclude'),
    pairs: pairs.filter(([name]) => name !== '_cursor'),
  };
}

/**
 * Reads the condition of a write (R4 http, "conditional update"). Without a single value to look for it would be met by
 * whatever happens to be the only record.
 */
export function parseCondition(type: string, search: string): SearchQuery {
  const { filters } = parseSearchQuery([type], search);
  const hasValue = ({ value }: SearchFilter) => value.split(',').every((one) => /[^|$]/.test(one));
  if (filters.length === 0 || !filters.every(hasValue))
    throw new AppError(
      'precondition-failed',
      'A condition names search parameters, each with a value: identifier=system|value.',
    );
  return { ...parseSearchQuery([type], '_total=none&_count=2'), filters };
}

/** Refuses what an interaction other than a search does not have: it would be passed over without a word. */
export function checkParameters(search: string, allowed: readonly string[]): void {
  for (const [name] of new URLSearchParams(search))
    if (!IGNORED.has(name) && !allowed.includes(name))
      throw badSearch(`${name.slice(0, 64)} is no parameter of this interaction.`);
}

const RESULT_PARAMETERS = new Set([
  '_sort',
  '_count',
  '_cursor',
  '_total',
  '_summary',
  '_elements',
  '_include',
  '_revinclude',
  '_type',
  '_contained',
]);

export function badSearch(message: string): AppError {
  return new AppError('invalid-search', message);
}

function parseSort(rule: string): SortRule {
  return rule.startsWith('-')
    ? { code: rule.slice(1), isDescending: true }
    : { code: rule, isDescending: false };
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return DEFAULT_COUNT;
  if (!/^\d{1,9}$/.test(text)) throw badSearch('_count is a whole number.');
  return Math.min(Number(text), MAX_COUNT);
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw badSearch(`${name} is one of ${allowed.join(', ')}.`);
  return found;
}

/** `Type:parameter[:Target]`, with the modifier `:iterate`. */
function includeRules(pairs: readonly (readonly [string, string])[], name: string): IncludeRule[] {
  const rules = pairs.filter(([one]) => one === name || one === `${name}:iterate`);
  return rules.map(([one, value]) => {
    const [source, code, target] = value.split(':');
    if (source === undefined || code === undefined || code === '')
      throw badSearch(`${name} is written Type:parameter or Type:parameter:Target.`);
    return { source, code, ...(target !== undefined && { target }), isIterated: one !== name };
  });
}

/** Splits at commas that no backslash escapes (R4 search, "Escaping Search Parameters"). */
export function splitValues(value: string): string[] {
  return value.split(/(?<!\\),/).map((part) => part.replace(/\\([,|$\\])/g, '$1'));
}
