import { parseDateTime } from '../../contracts/index.ts';
import {
  type ComparisonPrefix,
  normaliseString,
  presentToken,
  queryTokensForCode,
  queryTokensForDate,
  queryTokensForNumber,
  queryTokensForQuantity,
  queryTokensForString,
  type TokenExpression,
  type TokenMatch,
} from '../../vault/index.ts';
import { localReference, typeOfReference } from '../definitions/references.ts';
import type { CompiledParameter, SearchParameterType } from '../definitions/search-parameters.ts';
import { badSearch, splitUnescaped, splitValues, unescapeValue } from './search-query.ts';

const PREFIX = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d+-])/;
const APPROXIMATELY = 0.1;
const NOTHING: TokenExpression = { any: [] };

/** What finds a filter's resources. `stringIncludes` are values to compare again where tokens alone are not certain. */
export function filterExpression(
  parameter: CompiledParameter,
  modifier: string | undefined,
  value: string,
  ownBase: string,
): TokenMatch {
  refuseUnknownModifier(parameter, modifier);
  if (modifier === 'missing') return missing(parameter, value);
  if (modifier === 'not') {
    const match = alternatives(parameter, undefined, value, ownBase);
    return { where: { not: match.where }, exact: match.exact };
  }
  return alternatives(parameter, modifier, value, ownBase);
}

const OF_EVERY_TYPE = ['missing', 'not'];
const OF_TYPE: Partial<Record<SearchParameterType, readonly string[]>> = {
  string: ['exact', 'contains'],
  reference: ['identifier'],
};

/** The modifiers of a type of parameter; a reference takes a resource type beside. */
export function modifiersOf(type: SearchParameterType): readonly string[] {
  return [...OF_EVERY_TYPE, ...(OF_TYPE[type] ?? [])];
}

function refuseUnknownModifier({ code, type }: CompiledParameter, modifier: string | undefined): void {
  if (modifier === undefined || modifiersOf(type).includes(modifier)) return;
  if (type === 'reference' && /^[A-Z]\w+$/.test(modifier)) return;
  throw badSearch(
    `The modifier :${modifier.slice(0, 64)} is not supported on ${code}. /metadata lists those that are.`,
  );
}

function alternatives(
  parameter: CompiledParameter,
  modifier: string | undefined,
  value: string,
  ownBase: string,
): TokenMatch {
  const matches = splitValues(value).map((one) => oneValue(parameter, modifier, one, ownBase));
  return {
    where: { any: matches.map((match) => match.where) },
    exact: matches.every((match) => match.exact),
  };
}

function missing(parameter: CompiledParameter, value: string): TokenMatch {
  if (value !== 'true' && value !== 'false') throw badSearch(`${parameter.code}:missing is true or false.`);
  const present = presence(parameter);
  return { where: value === 'true' ? { not: present } : present, exact: true };
}

/** A composite is there when each of its parts is. */
function presence({ code, type, components }: CompiledParameter): TokenExpression {
  if (type !== 'composite') return { token: presentToken(code) };
  return { all: components.map((component) => ({ token: presentToken(component.code) })) };
}

function oneValue(
  parameter: CompiledParameter,
  modifier: string | undefined,
  value: string,
  ownBase: string,
): TokenMatch {
  if (parameter.type === 'composite') return composite(parameter, value, ownBase);
  return typedValue(parameter.code, parameter.type, modifier, value, ownBase);
}

function composite(parameter: CompiledParameter, value: string, ownBase: string): TokenMatch {
  const parts = splitUnescaped(value, '$');
  if (parts.length !== parameter.components.length)
    throw badSearch(`${parameter.code} has ${parameter.components.length} parts, separated by $.`);
  const matches = parameter.components.map((component, place) =>
    typedValue(component.code, component.type, undefined, parts[place] as string, ownBase),
  );
  // The parts must be found in one element together, which tokens of a whole resource cannot tell.
  return { where: { all: matches.map((match) => match.where) }, exact: false };
}

function typedValue(
  code: string,
  type: SearchParameterType,
  modifier: string | undefined,
  value: string,
  ownBase: string,
): TokenMatch {
  switch (type) {
    case 'token':
      return tokenValue(code, value);
    case 'string':
      return stringValue(code, modifier, unescapeValue(value));
    case 'reference':
      return referenceValue(code, modifier, value, ownBase);
    case 'date':
      return dateValue(code, value);
    case 'number':
      return numberValue(code, value);
    case 'quantity':
      return quantityValue(code, value);
    case 'uri':
      return { where: { token: { param: code, kind: 'uri', value: unescapeValue(value) } }, exact: true };
    default:
      throw badSearch(`Search parameters of type ${type} are not supported; ${code} is one.`);
  }
}

/** `code`, `|code`, `system|code`, `system|`. */
function tokenValue(code: string, value: string): TokenMatch {
  const [first = '', ...more] = splitUnescaped(value, '|').map(unescapeValue);
  if (more.length === 0) return { where: queryTokensForCode(code, { code: first }), exact: true };
  const rest = more.join('|');
  const wanted = rest === '' ? { system: first } : { system: first, code: rest };
  return { where: queryTokensForCode(code, wanted), exact: true };
}

function stringValue(code: string, modifier: string | undefined, value: string): TokenMatch {
  return modifier === 'exact' || modifier === 'contains'
    ? queryTokensForString(code, value, modifier)
    : queryTokensForString(code, value);
}

/** `Type/id`, an absolute URL, or an id; `:Type` says the type, `:identifier` finds a logical reference. */
function referenceValue(
  code: string,
  modifier: string | undefined,
  written: string,
  ownBase: string,
): TokenMatch {
  if (modifier === 'identifier') return tokenValue(`${code}:identifier`, written);
  const value = unescapeValue(written);
  if (value === '') return { where: NOTHING, exact: true };
  const isId = !value.includes('/');
  if (modifier !== undefined) {
    const reference = localReference(isId ? `${modifier}/${value}` : value, ownBase);
    const isOfType = typeOfReference(reference, ownBase) === modifier;
    return { where: isOfType ? referenceTo(code, reference) : NOTHING, exact: true };
  }
  if (isId)
    return {
      where: { any: [{ token: { param: code, kind: 'reference-id', value } }, referenceTo(code, value)] },
      exact: true,
    };
  return { where: referenceTo(code, localReference(value, ownBase)), exact: true };
}

export function referenceTo(code: string, reference: string): TokenExpression {
  return { token: { param: code, kind: 'reference', value: reference } };
}

function splitPrefix(value: string): { prefix: ComparisonPrefix; rest: string } {
  const found = PREFIX.exec(value)?.[1] as ComparisonPrefix | undefined;
  return found === undefined ? { prefix: 'eq', rest: value } : { prefix: found, rest: value.slice(2) };
}

export function dateBounds(
  code: string,
  value: string,
): { prefix: ComparisonPrefix; fromMs: number; untilMs: number } {
  const { prefix, rest } = splitPrefix(value);
  const span = searchSpan(rest);
  if (span === undefined)
    throw badSearch(
      `${code} needs a date such as 2024-05-01 or 2024-05-01T10:00:00Z, after an optional prefix.`,
    );
  return { prefix, fromMs: span.startMs, untilMs: span.endMs };
}

const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(Z|[+ -]\d{2}:\d{2})?$/;

/** R4 search, "date": the seconds may be left out, and the zone too. A plus that was not escaped comes as a space. */
function searchSpan(text: string): ReturnType<typeof parseDateTime> {
  const [, minute, seconds, zone = 'Z'] = TIME.exec(text) ?? [];
  if (minute === undefined) return parseDateTime(text);
  const span = parseDateTime(`${minute}${seconds ?? ':00'}${zone.replace(' ', '+')}`);
  return span === undefined || seconds !== undefined
    ? span
    : { startMs: span.startMs, endMs: span.startMs + 60_000 };
}

function dateValue(code: string, value: string): TokenMatch {
  const { prefix, fromMs, untilMs } = dateBounds(code, value);
  if (prefix !== 'ap') return queryTokensForDate(code, prefix, { fromMs, untilMs });
  const slackMs = Math.max(86_400_000, Math.round(Math.abs(Date.now() - fromMs) * APPROXIMATELY));
  return queryTokensForDate(code, 'ap', { fromMs: fromMs - slackMs, untilMs: untilMs + slackMs });
}

function numberValue(code: string, value: string): TokenMatch {
  const { prefix, rest } = splitPrefix(value);
  return queryTokensForNumber(code, prefix, rest) ?? refuseNumber(code);
}

/** `[prefix]number`, `number||code`, `number|system|code`. */
function quantityValue(code: string, value: string): TokenMatch {
  const [number = '', system, unit] = splitUnescaped(value, '|').map(unescapeValue);
  const { prefix, rest } = splitPrefix(number);
  const wanted =
    unit === undefined || unit === ''
      ? undefined
      : { ...(system !== undefined && system !== '' && { system }), code: unit };
  return queryTokensForQuantity(code, prefix, rest, wanted) ?? refuseNumber(code);
}

function refuseNumber(code: string): never {
  throw badSearch(`${code} needs a number, after an optional prefix.`);
}

/** Whether one of the texts holds the value as a string search means it; used where tokens are not certain. */
export function stringMatches(
  texts: readonly string[],
  modifier: string | undefined,
  value: string,
): boolean {
  const wanted = normaliseString(value);
  return texts.some((text) => {
    if (modifier === 'exact') return text === value;
    const normal = normaliseString(text);
    return modifier === 'contains' ? normal.includes(wanted) : normal.startsWith(wanted);
  });
}
