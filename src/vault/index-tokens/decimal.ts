/** coefficient × 10^exponent, exact: binary floats cannot hold 0.1, and a search for 0.1 must find it. */
export type Decimal = { readonly coefficient: bigint; readonly exponent: number };

const DECIMAL = /^([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/;

/** The decimal that a FHIR number text stands for, with the digits as written; undefined when it is none. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction = '', exponent = '0'] = match;
  const magnitude = BigInt(`${whole}${fraction}`);
  return { coefficient: sign === '-' ? -magnitude : magnitude, exponent: Number(exponent) - fraction.length };
}

export function compareDecimals(a: Decimal, b: Decimal): number {
  const exponent = Math.min(a.exponent, b.exponent);
  const left = a.coefficient * 10n ** BigInt(a.exponent - exponent);
  const right = b.coefficient * 10n ** BigInt(b.exponent - exponent);
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The range that a number with these digits stands for: 5.4 is 5.35 to 5.45 (R4 search, "number"). */
export function impliedRange(value: Decimal): { low: Decimal; high: Decimal } {
  return {
    low: { coefficient: value.coefficient * 10n - 5n, exponent: value.exponent - 1 },
    high: { coefficient: value.coefficient * 10n + 5n, exponent: value.exponent - 1 },
  };
}

/** Ten per cent to either side (R4 search, "ap"). */
export function approximateRange(value: Decimal): { low: Decimal; high: Decimal } {
  const tenth = value.coefficient < 0n ? -value.coefficient : value.coefficient;
  return {
    low: { coefficient: value.coefficient * 10n - tenth, exponent: value.exponent - 1 },
    high: { coefficient: value.coefficient * 10n + tenth, exponent: value.exponent - 1 },
  };
}
