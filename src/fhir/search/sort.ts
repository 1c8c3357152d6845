import type { Resource } from '@medplum/fhirtypes';
import { normaliseString } from '../../vault/index.ts';
import type { SearchParameters } from '../definitions/search-parameters.ts';
import { badSearch, type SortRule } from './search-query.ts';
import { dateRangeOf, stringsOf } from './value-tokens.ts';

type Sortable = { readonly resource: Resource; readonly lastUpdatedMs: number; readonly id: string };
type SortValue = number | string | undefined;

/** Sorts as `_sort` says; what has no value comes last (R4 search, "Sorting"), and ids decide between equals. */
export function sortMatches<T extends Sortable>(
  matches: readonly T[],
  rules: readonly SortRule[],
  parameters: SearchParameters,
  ownBase: string,
): T[] {
  const keyed = matches.map((match) => ({
    match,
    keys: rules.map((rule) => sortValue(match, rule, parameters, ownBase)),
  }));
  keyed.sort((left, right) => {
    for (const [place, rule] of rules.entries()) {
      const order = compare(left.keys[place], right.keys[place], rule.isDescending);
      if (order !== 0) return order;
    }
    return left.match.id < right.match.id ? -1 : 1;
  });
  return keyed.map(({ match }) => match);
}

function compare(left: SortValue, right: SortValue, isDescending: boolean): number {
  if (left === right) return 0;
  if (left === undefined) return 1;
  if (right === undefined) return -1;
  return (left < right ? -1 : 1) * (isDescending ? -1 : 1);
}

function sortValue(
  match: Sortable,
  rule: SortRule,
  parameters: SearchParameters,
  ownBase: string,
): SortValue {
  if (rule.code === '_lastUpdated') return match.lastUpdatedMs;
  if (rule.code === '_id') return match.id;
  const parameter = parameters.find(match.resource.resourceType, rule.code);
  if (parameter === undefined)
    throw badSearch(`${match.resource.resourceType} cannot be sorted by ${rule.code.slice(0, 64)}.`);
  const values = parameter
    .valuesOf(match.resource, ownBase)
    .flatMap((value) => comparable(parameter.type, value));
  values.sort((left, right) => (left < right ? -1 : 1));
  return rule.isDescending ? values.at(-1) : values[0];
}

function comparable(type: string, value: unknown): (number | string)[] {
  if (type === 'date') return [dateRangeOf(value)?.fromMs].filter((ms) => ms !== undefined);
  if (typeof value === 'number') return [value];
  const fields = value as {
    value?: unknown;
    reference?: unknown;
    code?: unknown;
    coding?: { code?: unknown }[];
  };
  if (type === 'quantity' || type === 'number') return typeof fields.value === 'number' ? [fields.value] : [];
  if (type === 'reference') return typeof fields.reference === 'string' ? [fields.reference] : [];
  if (type === 'token' && typeof value === 'object')
    return [fields.code, fields.value, fields.coding?.[0]?.code].filter((code) => typeof code === 'string');
  return stringsOf(value).map(normaliseString);
}
