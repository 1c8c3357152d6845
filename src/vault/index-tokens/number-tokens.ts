import { approximateRange, compareDecimals, type Decimal, impliedRange, parseDecimal } from './decimal.ts';
import {
  anyOf,
  type ComparisonPrefix,
  type IndexToken,
  presentButNot,
  presentToken,
  type TokenMatch,
} from './token.ts';

/** Significant digits kept in the index; a value with more is found by the first eight and must be looked at. */
const DIGITS = 8;
const SMALLEST = 10 ** (DIGITS - 1);
const BLOCK = 10 ** DIGITS;
const MAX_POWER = 30;
const ZERO = '0';

/** Where a magnitude stands: `place` grows with it, and magnitudes that share their first eight digits share it. */
type Magnitude = { readonly place: number; readonly rounded: boolean };
type Bound = { readonly value: Decimal; readonly included: boolean };

/** Tokens of one number: sign, power of ten, and each beginning of its digits. `value` is a FHIR decimal as text. */
export function tokensForNumber(param: string, value: string | number): IndexToken[] {
  const decimal = parseDecimal(String(value));
  if (decimal === undefined) return [];
  return [presentToken(param), ...namesOf(decimal).map((name) => ({ param, kind: 'number', value: name }))];
}

/** Tokens of a Range: both its ends are points of it. */
export function tokensForNumberRange(
  param: string,
  low: string | number,
  high: string | number,
): IndexToken[] {
  return [...tokensForNumber(param, low), ...tokensForNumber(param, high)];
}

/**
 * What finds the numbers that compare so with `text`, a FHIR decimal as the caller wrote it: `eq` and `ne` take the
 * precision from its digits, the other prefixes take it as exact (R4 search, "number"). undefined: not a number.
 */
export function queryTokensForNumber(
  param: string,
  prefix: ComparisonPrefix,
  text: string,
): TokenMatch | undefined {
  const value = parseDecimal(text);
  if (value === undefined) return undefined;
  if (prefix === 'eq' || prefix === 'ne') {
    const { low, high } = impliedRange(value);
    const match = between(param, { value: low, included: true }, { value: high, included: false });
    if (prefix === 'eq') return match;
    return match.exact
      ? { where: presentButNot(param, match.where), exact: true }
      : { where: { token: presentToken(param) }, exact: false };
  }
  if (prefix === 'ap') {
    const { low, high } = approximateRange(value);
    return between(param, { value: low, included: true }, { value: high, included: true });
  }
  const bound = { value, included: prefix === 'ge' || prefix === 'le' };
  return prefix === 'gt' || prefix === 'ge' || prefix === 'sa'
    ? between(param, bound, undefined)
    : between(param, undefined, bound);
}

/** Tokens of a Quantity: its number, and its unit by system and code, by code alone and by its text. */
export function tokensForQuantity(
  param: string,
  quantity: {
    readonly value: string | number;
    readonly system?: string;
    readonly code?: string;
    readonly unit?: string;
  },
): IndexToken[] {
  const units = new Set<string>();
  if (quantity.code !== undefined) {
    units.add(`|${quantity.code}`);
    if (quantity.system !== undefined) units.add(`${quantity.system}|${quantity.code}`);
  }
  if (quantity.unit !== undefined) units.add(`|${quantity.unit}`);
  return [
    ...tokensForNumber(param, quantity.value),
    ...[...units].map((value) => ({ param, kind: 'quantity-unit', value })),
  ];
}

/** As queryTokensForNumber, in this unit; without a system any system with that code or unit text will do. */
export function queryTokensForQuantity(
  param: string,
  prefix: ComparisonPrefix,
  text: string,
  unit?: { readonly system?: string; readonly code: string },
): TokenMatch | undefined {
  const match = queryTokensForNumber(param, prefix, text);
  if (match === undefined || unit === undefined) return match;
  const wanted = anyOf(param, 'quantity-unit', [`${unit.system ?? ''}|${unit.code}`]);
  return { where: { all: [match.where, wanted] }, exact: match.exact };
}

function between(param: string, low: Bound | undefined, high: Bound | undefined): TokenMatch {
  const names = new Set<string>();
  const zero: Decimal = { coefficient: 0n, exponent: 0 };
  const lowSign = low === undefined ? -1 : compareDecimals(low.value, zero);
  const highSign = high === undefined ? 1 : compareDecimals(high.value, zero);
  const zeroIn =
    (lowSign < 0 || (lowSign === 0 && low?.included)) && (highSign > 0 || (highSign === 0 && high?.included));
  if (zeroIn) names.add(ZERO);
  if (highSign > 0) addMagnitudes(names, '+', lowSign > 0 ? low : undefined, high);
  if (lowSign < 0) addMagnitudes(names, '-', highSign < 0 ? high : undefined, low);
  return { where: anyOf(param, 'number', names), exact: isShort(low) && isShort(high) };
}

function isShort(bound: Bound | undefined): boolean {
  return bound === undefined || magnitudeOf(bound.value)?.rounded !== true;
}

/** Adds the names that cover the magnitudes of one sign from `near` (the bound next to zero) to `far`. */
function addMagnitudes(
  names: Set<string>,
  sign: string,
  near: Bound | undefined,
  far: Bound | undefined,
): void {
  const from = near === undefined ? undefined : magnitudeOf(near.value);
  const to = far === undefined ? undefined : magnitudeOf(far.value);
  let first = from?.place ?? SMALLEST;
  if (near !== undefined && from !== undefined && !from.rounded && !near.included) {
    names.add(roundedName(sign, first));
    first = nextPlace(first);
  }
  let end = to === undefined ? (2 * MAX_POWER + 1) * BLOCK : to.place;
  if (far !== undefined && to?.rounded) end = nextPlace(end);
  else if (far !== undefined && to !== undefined && far.included) names.add(exactName(sign, end));
  cover(names, sign, first, end);
}

/** Greedy: at each place the widest interval that begins there and does not reach past `end`. */
function cover(names: Set<string>, sign: string, first: number, end: number): void {
  let at = first;
  while (at < end) {
    let length = 0;
    while (length < DIGITS && !fits(at, length, end)) length++;
    names.add(intervalName(sign, at, length));
    const digits = prefixOf(at, length);
    // A value that ends in zeros carries no names for them: it is named exactly.
    if (length > 1 && digits.endsWith('0')) names.add(exactName(sign, at));
    at = intervalEnd(at, length);
  }
}

function fits(at: number, length: number, end: number): boolean {
  const within = at % BLOCK;
  const beginsHere = length === 0 ? within === SMALLEST : within % 10 ** (DIGITS - length) === 0;
  return beginsHere && intervalEnd(at, length) <= end;
}

function intervalEnd(at: number, length: number): number {
  if (length === 0) return Math.floor(at / BLOCK) * BLOCK + BLOCK + SMALLEST;
  return nextOf(at, 10 ** (DIGITS - length));
}

function nextPlace(place: number): number {
  return nextOf(place, 1);
}

/** Digits run from 10000000 to 99999999: after the last comes the first of the next power. */
function nextOf(place: number, step: number): number {
  const next = place + step;
  return next % BLOCK === 0 ? next + SMALLEST : next;
}

function prefixOf(place: number, length: number): string {
  return String(place % BLOCK).slice(0, length);
}

function intervalName(sign: string, place: number, length: number): string {
  return `${sign}e${Math.floor(place / BLOCK) - MAX_POWER}:${prefixOf(place, length)}`;
}

function exactName(sign: string, place: number): string {
  const digits = prefixOf(place, DIGITS).replace(/0+$/, '');
  return `${sign}e${Math.floor(place / BLOCK) - MAX_POWER}:${digits}=`;
}

function roundedName(sign: string, place: number): string {
  return `${intervalName(sign, place, DIGITS)}~`;
}

function namesOf(value: Decimal): string[] {
  const magnitude = magnitudeOf(value);
  if (magnitude === undefined) return [ZERO];
  const sign = value.coefficient < 0n ? '-' : '+';
  const { place, rounded } = magnitude;
  const length = rounded ? DIGITS : prefixOf(place, DIGITS).replace(/0+$/, '').length;
  const names = [rounded ? roundedName(sign, place) : exactName(sign, place)];
  for (let digits = 0; digits <= length; digits++) names.push(intervalName(sign, place, digits));
  return names;
}

/** undefined for zero and for what is nearer to it than 10^-30; beyond 10^31 everything shares the last place. */
function magnitudeOf(value: Decimal): Magnitude | undefined {
  if (value.coefficient === 0n) return undefined;
  const digits = String(value.coefficient < 0n ? -value.coefficient : value.coefficient);
  const power = value.exponent + digits.length - 1;
  if (power < -MAX_POWER) return undefined;
  if (power > MAX_POWER) return { place: 2 * MAX_POWER * BLOCK + BLOCK - 1, rounded: true };
  const kept = Number(digits.slice(0, DIGITS).padEnd(DIGITS, '0'));
  return { place: (power + MAX_POWER) * BLOCK + kept, rounded: /[1-9]/.test(digits.slice(DIGITS)) };
}
