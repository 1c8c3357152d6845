/**
 * One searchable value of a record, in the clear and in memory only. `param` is the search parameter's code, `kind`
 * separates spaces of values that must never meet (see the functions beside this file), `value` is normalised.
 */
export type IndexToken = { readonly param: string; readonly kind: string; readonly value: string };

/** One value to look for; the same shape, since the same keyed hash is made of both. */
export type QueryToken = IndexToken;

/** What to look for, and whether a hit is certain; when not `exact`, open each record found and compare. */
export type TokenMatch = { readonly where: TokenExpression; readonly exact: boolean };

/** AND, OR and NOT over tokens. `all: []` is true, `any: []` is false. */
export type TokenExpression =
  | { readonly all: readonly TokenExpression[] }
  | { readonly any: readonly TokenExpression[] }
  | { readonly not: TokenExpression }
  | { readonly token: IndexToken };

/** The prefixes of R4 search (http://hl7.org/fhir/R4/search.html#prefix). */
export type ComparisonPrefix = 'eq' | 'ne' | 'gt' | 'lt' | 'ge' | 'le' | 'sa' | 'eb' | 'ap';

/** A record that has any value for `param` carries this token: `:missing` and `ne` ask for it. */
export function presentToken(param: string): IndexToken {
  return { param, kind: 'present', value: '' };
}

/** Any of these values of one kind. */
export function anyOf(param: string, kind: string, values: Iterable<string>): TokenExpression {
  return { any: [...values].map((value) => ({ token: { param, kind, value } })) };
}

/** Has a value, and none that `matches`. */
export function presentButNot(param: string, matches: TokenExpression): TokenExpression {
  return { all: [{ token: presentToken(param) }, { not: matches }] };
}
