import { AppError } from '../../shared/index.ts';
import { normaliseString } from '../../vault/index.ts';

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
const MAX_VALUES = 500;
const MAX_SORT_RULES = 10;
const MAX_ELEMENTS = 100;
/** Of the answer as a whole (R4 http, "general parameters"): the door looks at them. */
const IGNORED = new Set(['_format', '_pretty']);
/** What says how to answer, with the modifiers that each takes (R4 search, "result parameters"). */
const RESULT_PARAMETERS = new Map<string, readonly string[]>([
  ['_sort', []],
  ['_count', []],
  ['_cursor', []],
  ['_total', []],
  ['_summary', []],
  ['_elements', []],
  ['_include', ['iterate']],
  ['_revinclude', ['iterate']],
]);

/** Reads a query string. Everything a search may have is named here; what is not a result parameter is a filter. */
export function parseSearchQuery(types: readonly string[], search: string | URLSearchParams): SearchQuery {
  const pairs = [...new URLSearchParams(search)].filter(([name]) => !IGNORED.has(name));
  const all = (name: string) =>
    pairs.filter(([one]) => one === name).flatMap(([, value]) => value.split(','));
  const last = (name: string) => pairs.findLast(([one]) => one === name)?.[1];
  const cursor = last('_cursor');
  const isOfTypes = types.length === 0;
  const filters = pairs
    .filter(([name]) => !isResultParameter(name) && !(isOfTypes && name === '_type'))
    .map(([name, value]) => ({ name, value }));
  refuseTooMany(pairs, filters);
  return {
    types: isOfTypes ? named(all('_type')) : types,
    filters,
    sort: sortRules(named(all('_sort'))),
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
    elements: atMost(MAX_ELEMENTS, '_elements', named(all('_elements'))),
    include: includeRules(pairs, '_include'),
    revInclude: includeRules(pairs, '_revinclude'),
    pairs: pairs.filter(([name]) => name !== '_cursor'),
  };
}

/** Each once, without the empty ones that a comma too many makes. */
function named(texts: readonly string[]): string[] {
  return [...new Set(texts)].filter((text) => text !== '');
}

function atMost<T>(limit: number, name: string, items: T[]): T[] {
  if (items.length > limit) throw new AppError('too-many', `${name} names at most ${limit}. Name fewer.`);
  return items;
}

function isResultParameter(text: string): boolean {
  const [name, modifier] = splitOnce(text, ':');
  const modifiers = RESULT_PARAMETERS.get(name);
  if (modifiers !== undefined && modifier !== undefined && !modifiers.includes(modifier))
    throw badSearch(`${name} has no modifier :${modifier.slice(0, 64)} here.`);
  return modifiers !== undefined;
}

/** Before anything is made of them: each value may become a hundred to look for. */
function refuseTooMany(
  pairs: readonly (readonly [string, string])[],
  filters: readonly SearchFilter[],
): void {
  if (pairs.length > MAX_PARAMETERS) throw badSearch(`A search has at most ${MAX_PARAMETERS} parameters.`);
  if (pairs.some(([, value]) => value.length > MAX_VALUE_CHARACTERS))
    throw badSearch(`A search value has at most ${MAX_VALUE_CHARACTERS} characters.`);
  const values = filters.reduce((count, { value }) => count + value.split(',').length, 0);
  if (values > MAX_VALUES)
    throw new AppError('too-many', `A search looks for at most ${MAX_VALUES} values. Split it into several.`);
}

/**
 * Reads the condition of a write (R4 http, "conditional update"). Without a single value to look for, as a text search compares
 * it, it would be met by whatever happens to be the only record.
 */
export function parseCondition(type: string, search: string): readonly SearchFilter[] {
  const { filters } = parseSearchQuery([type], search);
  const hasValue = ({ value }: SearchFilter) => splitValues(value).every(saysSomething);
  if (filters.length === 0 || !filters.every(hasValue)) throw conditionOfNothing();
  return filters;
}

/** What is nothing but separators, spaces and accents is nothing to a text search, and so the beginning of every text. */
function saysSomething(value: string): boolean {
  return splitUnescaped(value, '$').every((part) => /[^|]/.test(normaliseString(part)));
}

export function conditionOfNothing(): AppError {
  return new AppError(
    'precondition-failed',
    'A condition names what it looks for, each parameter with a value: identifier=system|value.',
  );
}

/** Refuses what an interaction other than a search does not have: it would be passed over without a word. */
export function checkParameters(search: string, allowed: readonly string[]): void {
  for (const [name] of new URLSearchParams(search))
    if (!IGNORED.has(name) && !allowed.includes(name))
      throw badSearch(`${name.slice(0, 64)} is no parameter of this interaction.`);
}

export function badSearch(message: string): AppError {
  return new AppError('invalid-search', message);
}

/** A second rule by the same parameter sorts nothing. */
function sortRules(texts: readonly string[]): SortRule[] {
  const rules = new Map<string, SortRule>();
  for (const rule of texts.map(parseSort)) if (!rules.has(rule.code)) rules.set(rule.code, rule);
  return atMost(MAX_SORT_RULES, '_sort', [...rules.values()]);
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

/** `Type:parameter[:Target]`, with the modifier `:iterate`; each once. */
function includeRules(pairs: readonly (readonly [string, string])[], name: string): IncludeRule[] {
  const rules = pairs.filter(([one]) => one === name || one === `${name}:iterate`);
  const read = rules.map(([one, value]): IncludeRule => {
    const [source, code, target] = value.split(':');
    if (source === undefined || code === undefined || code === '')
      throw badSearch(`${name} is written Type:parameter or Type:parameter:Target.`);
    return { source, code, ...(target !== undefined && { target }), isIterated: one !== name };
  });
  return [...new Map(read.map((rule) => [JSON.stringify(rule), rule])).values()];
}

/** The alternatives of a value, each as it is written: what it is made of decides where it is split again. */
export function splitValues(value: string): string[] {
  return splitUnescaped(value, ',');
}

/** Splits where no backslash is before the separator (R4 search, "Escaping Search Parameters"). */
export function splitUnescaped(text: string, separator: ',' | '|' | '$'): string[] {
  const parts = [''];
  for (const piece of text.match(/\\.|[^\\]|\\$/gsu) ?? []) {
    if (piece === separator) parts.push('');
    else parts[parts.length - 1] += piece;
  }
  return parts;
}

/** What the escapes stand for. */
export function unescapeValue(text: string): string {
  return text.replace(/\\([,|$\\])/g, '$1');
}

export function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
