import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { queryTokensForCode, tokensForCode } from './code-tokens.ts';
import { type DateRange, queryTokensForDate, tokensForDateRange } from './date-tokens.ts';
import { compareDecimals, impliedRange, parseDecimal } from './decimal.ts';
import {
  queryTokensForNumber,
  queryTokensForQuantity,
  tokensForNumber,
  tokensForQuantity,
} from './number-tokens.ts';
import { queryTokensForString, tokensForString } from './string-tokens.ts';
import type { ComparisonPrefix, IndexToken, TokenExpression } from './token.ts';

const SEED = { seed: 20_261_121, numRuns: 400 };
const PREFIXES: ComparisonPrefix[] = ['eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'];

function holds(expression: TokenExpression, tokens: ReadonlySet<string>): boolean {
  if ('all' in expression) return expression.all.every((one) => holds(one, tokens));
  if ('any' in expression) return expression.any.some((one) => holds(one, tokens));
  if ('not' in expression) return !holds(expression.not, tokens);
  return tokens.has(JSON.stringify(expression.token));
}

function setOf(tokens: readonly IndexToken[]): Set<string> {
  return new Set(tokens.map(({ param, kind, value }) => JSON.stringify({ param, kind, value })));
}

function size(expression: TokenExpression): number {
  if ('all' in expression) return expression.all.reduce((sum, one) => sum + size(one), 0);
  if ('any' in expression) return expression.any.reduce((sum, one) => sum + size(one), 0);
  return 'not' in expression ? size(expression.not) : 1;
}

function datesCompare(prefix: ComparisonPrefix, value: DateRange, search: DateRange): boolean {
  const inside = value.fromMs >= search.fromMs && value.untilMs <= search.untilMs;
  const after = value.untilMs > search.untilMs;
  const before = value.fromMs < search.fromMs;
  const results: Record<ComparisonPrefix, boolean> = {
    eq: inside,
    ne: !inside,
    gt: after,
    lt: before,
    ge: after || inside,
    le: before || inside,
    sa: value.fromMs >= search.untilMs,
    eb: value.untilMs <= search.fromMs,
    ap: value.fromMs < search.untilMs && value.untilMs > search.fromMs,
  };
  return results[prefix];
}

const wholeRange = fc
  .tuple(
    fc.integer({ min: -3_000_000_000, max: 5_000_000_000 }),
    fc.constantFrom(1, 59, 60, 3600, 86_400, 2_678_400, 31_536_000, 123_456_789),
  )
  .map(([second, length]) => ({ fromMs: second * 1000, untilMs: (second + length) * 1000 }));

test('a date query by tokens answers as R4 says, for whole seconds exactly', () => {
  fc.assert(
    fc.property(
      wholeRange,
      wholeRange,
      fc.boolean(),
      fc.constantFrom(...PREFIXES),
      (value, other, same, prefix) => {
        const search = same ? { fromMs: value.fromMs - 1000, untilMs: value.untilMs } : other;
        const match = queryTokensForDate('date', prefix, search);
        assert.equal(match.exact, true);
        assert.equal(
          holds(match.where, setOf(tokensForDateRange('date', value))),
          datesCompare(prefix, value, search),
        );
      },
    ),
    SEED,
  );
});

test('a date query inside a second misses nothing', () => {
  const instant = fc.integer({ min: 0, max: 5000 }).map((ms) => ({ fromMs: ms, untilMs: ms + 1 }));
  fc.assert(
    fc.property(instant, instant, fc.constantFrom(...PREFIXES), (value, search, prefix) => {
      const match = queryTokensForDate('date', prefix, search);
      if (!datesCompare(prefix, value, search)) return;
      assert.ok(holds(match.where, setOf(tokensForDateRange('date', value))));
    }),
    SEED,
  );
});

test('a day, a month and a year are two tokens; an open comparison is few', () => {
  for (const [from, until] of [
    [Date.UTC(2010, 3, 5), Date.UTC(2010, 3, 6)],
    [Date.UTC(2010, 3), Date.UTC(2010, 4)],
    [Date.UTC(2010, 0), Date.UTC(2011, 0)],
  ] as const) {
    assert.equal(size(queryTokensForDate('date', 'eq', { fromMs: from, untilMs: until }).where), 2);
    assert.ok(size(queryTokensForDate('date', 'gt', { fromMs: from, untilMs: until }).where) < 100);
  }
  assert.equal(tokensForDateRange('date', { fromMs: 0, untilMs: 1000 }).length, 15);
});

test('an open period reaches as far as any search', () => {
  const tokens = setOf(
    tokensForDateRange('date', { fromMs: Date.UTC(2020, 0), untilMs: Number.POSITIVE_INFINITY }),
  );
  const search = { fromMs: Date.UTC(2090, 0), untilMs: Date.UTC(2091, 0) };
  assert.ok(holds(queryTokensForDate('date', 'gt', search).where, tokens));
  assert.ok(!holds(queryTokensForDate('date', 'eb', search).where, tokens));
});

const decimalText = fc
  .tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: -4, max: 3 }), fc.boolean())
  .map(([coefficient, exponent, plain]) => (plain ? String(coefficient) : `${coefficient}e${exponent}`));

function numbersCompare(prefix: ComparisonPrefix, valueText: string, searchText: string): boolean {
  const value = parseDecimal(valueText);
  const search = parseDecimal(searchText);
  assert.ok(value !== undefined && search !== undefined);
  const implied = impliedRange(search);
  const equal = compareDecimals(value, implied.low) >= 0 && compareDecimals(value, implied.high) < 0;
  const order = compareDecimals(value, search);
  const tenth = Math.abs(Number(searchText)) / 10;
  const results: Record<ComparisonPrefix, boolean> = {
    eq: equal,
    ne: !equal,
    gt: order > 0,
    sa: order > 0,
    ge: order >= 0,
    lt: order < 0,
    eb: order < 0,
    le: order <= 0,
    ap: Math.abs(Number(valueText) - Number(searchText)) <= tenth * (1 + 1e-12),
  };
  return results[prefix];
}

test('a number query by tokens answers as R4 says', () => {
  const near = fc
    .tuple(decimalText, decimalText, fc.boolean())
    .map(([a, b, same]) => [a, same ? a : b] as const);
  fc.assert(
    fc.property(near, fc.constantFrom(...PREFIXES), ([value, search], prefix) => {
      const match = queryTokensForNumber('value', prefix, search);
      assert.ok(match?.exact);
      assert.equal(
        holds(match.where, setOf(tokensForNumber('value', value))),
        numbersCompare(prefix, value, search),
        `${value} ${prefix}${search}`,
      );
    }),
    { ...SEED, numRuns: 3000 },
  );
});

test('small numbers near each other compare rightly', () => {
  const small = fc.integer({ min: -130, max: 130 }).map(String);
  fc.assert(
    fc.property(small, small, fc.constantFrom(...PREFIXES), (value, search, prefix) => {
      const match = queryTokensForNumber('value', prefix, search);
      assert.ok(match !== undefined);
      assert.equal(
        holds(match.where, setOf(tokensForNumber('value', value))),
        numbersCompare(prefix, value, search),
        `${value} ${prefix}${search}`,
      );
    }),
    { ...SEED, numRuns: 3000 },
  );
});

test('numbers of many digits miss nothing, and strict bounds tell a rounded value from an exact one', () => {
  const tokens = setOf(tokensForNumber('value', '1.000000001'));
  assert.ok(holds(queryTokensForNumber('value', 'gt', '1')?.where ?? { any: [] }, tokens));
  assert.ok(!holds(queryTokensForNumber('value', 'le', '1')?.where ?? { any: [] }, tokens));
  const long = queryTokensForNumber('value', 'ge', '1.0000000005');
  assert.equal(long?.exact, false);
  assert.ok(holds(long?.where ?? { any: [] }, tokens));
});

test('what is no number is refused, not guessed', () => {
  for (const text of ['', 'abc', '1,5', '0x10', 'Infinity', '1e9999', '--1'])
    assert.equal(queryTokensForNumber('v', 'eq', text), undefined);
});

test('a quantity is found by number and unit', () => {
  const tokens = setOf(
    tokensForQuantity('value', {
      value: 5.4,
      system: 'http://unitsofmeasure.org',
      code: 'mg',
      unit: 'milligram',
    }),
  );
  const found = (unit?: { system?: string; code: string }) =>
    holds(queryTokensForQuantity('value', 'eq', '5.4', unit)?.where ?? { any: [] }, tokens);
  assert.ok(found() && found({ code: 'mg' }) && found({ system: 'http://unitsofmeasure.org', code: 'mg' }));
  assert.ok(!found({ code: 'g' }) && !found({ system: 'urn:other', code: 'mg' }));
});

test('strings match by beginning, as a whole and by containing, whatever the accents', () => {
  const tokens = setOf(tokensForString('name', 'Françoise  Müller'));
  const found = (value: string, mode?: 'starts-with' | 'exact' | 'contains') =>
    holds(queryTokensForString('name', value, mode).where, tokens);
  assert.ok(
    found('franc') &&
      found('FRANÇOISE m') &&
      found('oise mul', 'contains') &&
      found('Françoise  Müller', 'exact'),
  );
  assert.ok(!found('muller') && !found('francoise  muller', 'exact') && !found('zzz', 'contains'));
  assert.equal(queryTokensForString('name', 'or', 'contains').exact, false);
});

test('a very long string is still found by :contains', () => {
  const tokens = setOf(tokensForString('note', `${'a'.repeat(200)}needle`));
  assert.ok(holds(queryTokensForString('note', 'needle', 'contains').where, tokens));
});

test('codes match by code, system, both, and the absence of a system', () => {
  const tokens = setOf(tokensForCode('code', { system: 'http://loinc.org', code: '1234-5' }));
  const bare = setOf(tokensForCode('code', { code: '1234-5' }));
  assert.ok(holds(queryTokensForCode('code', { code: '1234-5' }), tokens));
  assert.ok(holds(queryTokensForCode('code', { system: 'http://loinc.org' }), tokens));
  assert.ok(holds(queryTokensForCode('code', { system: 'http://loinc.org', code: '1234-5' }), tokens));
  assert.ok(!holds(queryTokensForCode('code', { system: '', code: '1234-5' }), tokens));
  assert.ok(holds(queryTokensForCode('code', { system: '', code: '1234-5' }), bare));
});
