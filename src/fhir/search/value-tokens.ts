import type { Resource } from '@medplum/fhirtypes';
import { parseDateTime } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import {
  exactToken,
  type IndexToken,
  presentToken,
  tokensForCode,
  tokensForDateRange,
  tokensForNumber,
  tokensForNumberRange,
  tokensForQuantity,
  tokensForString,
} from '../../vault/index.ts';
import { localTarget } from '../definitions/references.ts';
import type {
  CompiledParameter,
  SearchParameters,
  SearchParameterType,
} from '../definitions/search-parameters.ts';

type Json = Record<string, unknown>;
/** Not more than the vault takes of one record. */
const MAX_TOKENS = 20_000;
const FAR_PAST_MS = -62_135_596_800_000;
const FAR_FUTURE_MS = 253_402_300_800_000;

/** Everything a resource can be found by, in the clear: the vault keeps only keyed hashes of it. */
export function tokensOfResource(
  resource: Resource,
  parameters: SearchParameters,
  ownBase: string,
): IndexToken[] {
  const distinct = new Map<string, IndexToken>();
  for (const parameter of parameters.all(resource.resourceType)) {
    // The parts of a composite are indexed as the parameters that they are by themselves.
    if (parameter.type === 'composite') continue;
    for (const value of parameter.valuesOf(resource, ownBase))
      addDistinct(distinct, tokensOfValue(parameter.code, parameter.type, value, ownBase));
  }
  return [...distinct.values()];
}

/** Refuses what there is too much of: a record that is not found by all that it says would be missed without a word. */
function addDistinct(distinct: Map<string, IndexToken>, tokens: readonly IndexToken[]): void {
  for (const token of tokens) distinct.set(`${token.param}\0${token.kind}\0${token.value}`, token);
  if (distinct.size > MAX_TOKENS)
    throw new AppError(
      'invalid-resource',
      `A resource has at most ${MAX_TOKENS} different values that it can be found by. Store it in several.`,
    );
}

export function tokensOfParameter(
  parameter: CompiledParameter,
  resource: Resource,
  ownBase: string,
): IndexToken[] {
  const values = parameter.valuesOf(resource, ownBase);
  if (parameter.type === 'composite')
    return values.flatMap((value) => tokensOfComposite(parameter, value, ownBase));
  return values.flatMap((value) => tokensOfValue(parameter.code, parameter.type, value, ownBase));
}

/** The tokens of one value of a composite, each part under the name of the parameter that it is by itself. */
export function tokensOfComposite(
  parameter: CompiledParameter,
  value: unknown,
  ownBase: string,
): IndexToken[] {
  return parameter.components.flatMap(({ code, type, valuesOf }) =>
    valuesOf(value, ownBase).flatMap((part) => tokensOfValue(code, type, part, ownBase)),
  );
}

export function tokensOfValue(
  param: string,
  type: SearchParameterType,
  value: unknown,
  ownBase: string,
): IndexToken[] {
  switch (type) {
    case 'token':
      return codeTokens(param, value);
    case 'string':
      return stringsOf(value).flatMap((text) => tokensForString(param, text));
    case 'reference':
      return referenceTokens(param, value, ownBase);
    case 'date':
      return dateTokens(param, value);
    case 'number':
      return numberTokens(param, value);
    case 'quantity':
      return quantityTokens(param, value);
    case 'uri':
      return typeof value === 'string' ? [presentToken(param), exactToken(param, 'uri', value)] : [];
    default:
      return [];
  }
}

function codeTokens(param: string, value: unknown): IndexToken[] {
  if (typeof value === 'boolean' || typeof value === 'string')
    return tokensForCode(param, { code: String(value) });
  if (!isJson(value)) return [];
  if (Array.isArray(value.coding) && value.coding.length > 0)
    return value.coding.flatMap((coding) => codeTokens(param, coding));
  const code = [value.code, value.value].find((one) => typeof one === 'string');
  const system = typeof value.system === 'string' ? { system: value.system } : {};
  return typeof code === 'string' || system.system !== undefined
    ? tokensForCode(param, { ...system, ...(typeof code === 'string' && { code }) })
    : hasContent(value)
      ? [presentToken(param)]
      : [];
}

/** A code that is only a text, a reference that is only a name: nothing finds it, but it is not missing either. */
function hasContent(value: Json): boolean {
  return Object.keys(value).some((name) => name !== 'id' && name !== 'extension');
}

/** The texts of a string, HumanName or Address (R4 search, "string"). */
export function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (!isJson(value)) return [];
  const names = [
    'family',
    'given',
    'prefix',
    'suffix',
    'text',
    'line',
    'city',
    'district',
    'state',
    'postalCode',
    'country',
    'display',
  ];
  return names
    .flatMap((name) => (Array.isArray(value[name]) ? value[name] : [value[name]]))
    .filter((text) => typeof text === 'string');
}

/** Only what is on this server is found by its id alone, and only by `Type/id`, however the reference to it is written. */
function referenceTokens(param: string, value: unknown, ownBase: string): IndexToken[] {
  const { reference, identifier } = isJson(value) ? value : { reference: value };
  const isNamed = typeof reference === 'string' && !reference.startsWith('#');
  const tokens = isNamed || (isJson(value) && hasContent(value)) ? [presentToken(param)] : [];
  if (isNamed) {
    const target = localTarget(reference, ownBase);
    const name = target === undefined ? reference : `${target.type}/${target.id}`;
    tokens.push(exactToken(param, 'reference', name));
    if (target !== undefined) tokens.push(exactToken(param, 'reference-id', target.id));
  }
  return isJson(identifier) ? [...tokens, ...codeTokens(`${param}:identifier`, identifier)] : tokens;
}

/** From the first to the last moment of a date, a Period or a Timing's events. */
export function dateRangeOf(value: unknown): { fromMs: number; untilMs: number } | undefined {
  if (typeof value === 'string') {
    const span = parseDateTime(value);
    return span === undefined ? undefined : { fromMs: span.startMs, untilMs: span.endMs };
  }
  if (!isJson(value)) return undefined;
  const bounds =
    isJson(value.repeat) && isJson(value.repeat.boundsPeriod) ? value.repeat.boundsPeriod : value;
  const events = Array.isArray(value.event) ? value.event : [];
  const start = dateRangeOf(bounds.start ?? events[0]);
  const end = dateRangeOf(bounds.end ?? events.at(-1));
  if (start === undefined && end === undefined) return undefined;
  return { fromMs: start?.fromMs ?? FAR_PAST_MS, untilMs: end?.untilMs ?? FAR_FUTURE_MS };
}

function dateTokens(param: string, value: unknown): IndexToken[] {
  const range = dateRangeOf(value);
  return range === undefined || range.untilMs <= range.fromMs ? [] : tokensForDateRange(param, range);
}

function numberTokens(param: string, value: unknown): IndexToken[] {
  if (typeof value === 'number') return tokensForNumber(param, value);
  return rangeTokens(param, value);
}

function rangeTokens(param: string, value: unknown): IndexToken[] {
  if (!isJson(value)) return [];
  const [low, high] = [value.low, value.high].map((end) => (isJson(end) ? end.value : undefined));
  const [first, last] = [low ?? high, high ?? low];
  return typeof first === 'number' && typeof last === 'number'
    ? tokensForNumberRange(param, first, last)
    : [];
}

function quantityTokens(param: string, value: unknown): IndexToken[] {
  if (!isJson(value) || typeof value.value !== 'number') return rangeTokens(param, value);
  const unit: { system?: string; code?: string; unit?: string } = {};
  for (const name of ['system', 'code', 'unit'] as const)
    if (typeof value[name] === 'string') unit[name] = value[name];
  if (typeof value.currency === 'string') unit.code = value.currency;
  return tokensForQuantity(param, { value: value.value, ...unit });
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
