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
import { badSearch, splitValues } from './search-query.ts';

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
  if (modifier === 'missing') return missing(parameter, value);
  if (modifier === 'not') {
    const match = alternatives(parameter, undefined, value, ownBase);
    return { where: { not: match.where }, exact: match.exact };
  }
  return alternatives(parameter, modifier, value, ownBase);
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
  if (parameter.type === 'composite') return composite(parameter, modifier, value, ownBase);
  return typedValue(parameter.code, parameter.type, modifier, value, ownBase);
}

function composite(
  parameter: CompiledParameter,
  modifier: string | undefined,
  value: string,
  ownBase: string,
): TokenMatch {
  if (modifier !== undefined) throw unsupportedModifier(parameter.code, modifier);
  const parts = value.split('$');
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
      return tokenValue(code, modifier, value);
    case 'string':
      return stringValue(code, modifier, value);
    case 'reference':
      return referenceValue(code, modifier, value, ownBase);
    case 'date':
      return noModifier(code, modifier) ?? dateValue(code, value);
    case 'number':
      return noModifier(code, modifier) ?? numberValue(code, value);
    case 'quantity':
      return noModifier(code, modifier) ?? quantityValue(code, value);
    case 'uri':
      return (
        noModifier(code, modifier) ?? { where: { token: { param: code, kind: 'uri', value } }, exact: true }
      );
    default:
      throw badSearch(`Search parameters of type ${type} are not supported; ${code} is one.`);
  }
}

function noModifier(code: string, modifier: string | undefined): undefined {
  if (modifier !== undefined) throw unsupportedModifier(code, modifier);
  return undefined;
}

function unsupportedModifier(code: string, modifier: string) {
  return badSearch(`The modifier :${modifier} is not supported on ${code}. /metadata lists what is.`);
}

/** `code`, `|code`, `system|code`, `system|`. */
export function tokenValue(code: string, modifier: string | undefined, value: string): TokenMatch {
  if (modifier !== undefined) throw unsupportedModifier(code, modifier);
  const bar = value.indexOf('|');
  if (bar < 0) return { where: queryTokensForCode(code, { code: value }), exact: true };
  const [system, rest] = [value.slice(0, bar), value.slice(bar + 1)];
  if (rest === '') return { where: queryTokensForCode(code, { system }), exact: true };
  return { where: queryTokensForCode(code, { system, code: rest }), exact: true };
}

function stringValue(code: string, modifier: string | undefined, value: string): TokenMatch {
  if (modifier === undefined) return queryTokensForString(code, value);
  if (modifier === 'exact' || modifier === 'contains') return queryTokensForString(code, value, modifier);
  throw unsupportedModifier(code, modifier);
}

/** `Type/id`, an absolute URL, or an id; `:Type` says the type, `:identifier` finds a logical reference. */
function referenceValue(
  code: string,
  modifier: string | undefined,
  value: string,
  ownBase: string,
): TokenMatch {
  if (modifier === 'identifier') return tokenValue(`${code}:identifier`, undefined, value);
  if (modifier !== undefined && !/^[A-Z]\w+$/.test(modifier)) throw unsupportedModifier(code, modifier);
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
  const span = parseDateTime(rest);
  if (span === undefined)
    throw badSearch(
      `${code} needs a date such as 2024-05-01 or 2024-05-01T10:00:00Z, after an optional prefix.`,
    );
  return { prefix, fromMs: span.startMs, untilMs: span.endMs };
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
  const [number = '', system, unit] = value.split('|');
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
