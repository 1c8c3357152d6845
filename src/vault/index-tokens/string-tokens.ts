import { anyOf, type IndexToken, presentToken, type TokenMatch } from './token.ts';

const MAX_PREFIX = 24;
const MAX_GRAM_SOURCE = 96;
const GRAM = 3;

export type StringMatchMode = 'starts-with' | 'exact' | 'contains';

/** Lower case, accents stripped, white space collapsed (R4 search, "string"). */
export function normaliseString(value: string): string {
  return value.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replace(/\s+/gu, ' ').trim();
}

/** Tokens of one string: its beginnings, the whole as written, and its trigrams for `:contains`. */
export function tokensForString(param: string, value: string): IndexToken[] {
  const points = [...normaliseString(value)];
  const tokens = [presentToken(param), { param, kind: 'string-exact', value }];
  for (let length = 1; length <= Math.min(points.length, MAX_PREFIX); length++) {
    tokens.push({ param, kind: 'string-prefix', value: points.slice(0, length).join('') });
  }
  for (const gram of gramsOf(points)) tokens.push({ param, kind: 'string-gram', value: gram });
  return tokens;
}

/** What finds the strings that start with, equal or contain `value`. */
export function queryTokensForString(
  param: string,
  value: string,
  mode: StringMatchMode = 'starts-with',
): TokenMatch {
  if (mode === 'exact') return { where: { token: { param, kind: 'string-exact', value } }, exact: true };
  const points = [...normaliseString(value)];
  if (points.length === 0) return { where: { token: presentToken(param) }, exact: true };
  if (mode === 'contains') return containing(param, points);
  const prefix = points.slice(0, MAX_PREFIX).join('');
  return {
    where: { token: { param, kind: 'string-prefix', value: prefix } },
    exact: points.length <= MAX_PREFIX,
  };
}

function containing(param: string, points: readonly string[]): TokenMatch {
  if (points.length < GRAM) return { where: { token: presentToken(param) }, exact: false };
  const grams = [...gramsOf(points)].map((gram) => anyOf(param, 'string-gram', [gram]));
  // Strings longer than the source of grams carry the marker instead, so that none is missed.
  const long = anyOf(param, 'string-gram', [LONG_STRING]);
  return { where: { any: [long, { all: grams }] }, exact: false };
}

const LONG_STRING = '\u0000long';

function gramsOf(points: readonly string[]): Set<string> {
  if (points.length > MAX_GRAM_SOURCE) return new Set([LONG_STRING]);
  const grams = new Set<string>();
  for (let at = 0; at + GRAM <= points.length; at++) grams.add(points.slice(at, at + GRAM).join(''));
  return grams;
}
