import type { Resource } from '@medplum/fhirtypes';
import type { IndexToken, TokenExpression } from '../../vault/index.ts';
import type { CompiledParameter } from '../definitions/search-parameters.ts';
import { filterExpression, stringMatches } from './filter-expression.ts';
import { splitValues, unescapeValue } from './search-query.ts';
import { stringsOf, tokensOfComposite, tokensOfParameter } from './value-tokens.ts';

/** One filter that can be held against an opened resource. */
export type ContentFilter = {
  readonly parameter: CompiledParameter;
  readonly modifier: string | undefined;
  readonly value: string;
};

/**
 * Whether the resource, as the requester sees it, matches. Asked where tokens are not certain, and where parts of the stored
 * record are hidden: a search must not match what may not be seen.
 */
export function matchesContent(filter: ContentFilter, resource: Resource, ownBase: string): boolean {
  const { parameter, modifier, value } = filter;
  const isText = parameter.type === 'string' && modifier !== 'missing' && modifier !== 'not';
  if (isText) {
    const texts = parameter.valuesOf(resource, ownBase).flatMap(stringsOf);
    return splitValues(value).some((one) => stringMatches(texts, modifier, unescapeValue(one)));
  }
  const { where } = filterExpression(parameter, modifier, value, ownBase);
  if (parameter.type !== 'composite' || modifier === 'missing' || modifier === 'not')
    return holds(where, tokensOfParameter(parameter, resource, ownBase));
  return parameter
    .valuesOf(resource, ownBase)
    .some((element) => holds(where, tokensOfComposite(parameter, element, ownBase)));
}

/** Evaluates an expression over the tokens of one resource, as the index does in SQL. */
export function holds(expression: TokenExpression, tokens: readonly IndexToken[]): boolean {
  const names = new Set(tokens.map(nameOf));
  const evaluate = (one: TokenExpression): boolean => {
    if ('all' in one) return one.all.every(evaluate);
    if ('any' in one) return one.any.some(evaluate);
    if ('not' in one) return !evaluate(one.not);
    return names.has(nameOf(one.token));
  };
  return evaluate(expression);
}

function nameOf({ param, kind, value }: IndexToken): string {
  return JSON.stringify([param, kind, value]);
}
