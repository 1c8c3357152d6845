import {
  anyOf,
  type ComparisonPrefix,
  type IndexToken,
  presentButNot,
  presentToken,
  type TokenExpression,
  type TokenMatch,
} from './token.ts';

/** The instants that a FHIR date stands for: 2010-04 is the whole month. An open period has -Infinity or Infinity. */
export type DateRange = { readonly fromMs: number /** Exclusive. */; readonly untilMs: number };

const FIRST_SECOND = Date.UTC(1800, 0, 1) / 1000;
const LAST_SECOND = Date.UTC(2200, 0, 1) / 1000 - 1;
const DAY = 86_400;

/** Calendar intervals (UTC), widest first: a second lies in one of each. */
const LEVELS = ['decade', 'year', 'month', 'day', 'hour', 'minute', 'second'] as const;
type Level = (typeof LEVELS)[number];

/** Tokens of the first and the last second of a date, period or instant, one for each calendar interval around them. */
export function tokensForDateRange(param: string, range: DateRange): IndexToken[] {
  const { first, last } = secondsOf(range);
  const tokens = [presentToken(param)];
  for (const level of LEVELS) {
    tokens.push({ param, kind: 'date-first', value: intervalName(level, first) });
    tokens.push({ param, kind: 'date-last', value: intervalName(level, last) });
  }
  return tokens;
}

/**
 * What finds the dates that compare so with `range` (R4 search, "Prefixes"). For `ap` the caller widens the range first.
 * Not exact when the range does not begin and end on whole seconds.
 */
export function queryTokensForDate(param: string, prefix: ComparisonPrefix, range: DateRange): TokenMatch {
  const { first, last } = secondsOf(range);
  const exact = isWholeSecond(range.fromMs) && isWholeSecond(range.untilMs);
  const slack = exact ? 1 : 0;
  const firstIn = (from: number, to: number) => anyOf(param, 'date-first', intervalsOf(from, to));
  const lastIn = (from: number, to: number) => anyOf(param, 'date-last', intervalsOf(from, to));
  const inside: TokenExpression = { all: [firstIn(first, last), lastIn(first, last)] };
  const reachesAfter = lastIn(last + slack, LAST_SECOND);
  const reachesBefore = firstIn(FIRST_SECOND, first - slack);
  switch (prefix) {
    case 'eq':
      return { where: inside, exact };
    case 'ne':
      return { where: exact ? presentButNot(param, inside) : { token: presentToken(param) }, exact };
    case 'gt':
      return { where: reachesAfter, exact };
    case 'lt':
      return { where: reachesBefore, exact };
    case 'ge':
      return { where: { any: [reachesAfter, inside] }, exact };
    case 'le':
      return { where: { any: [reachesBefore, inside] }, exact };
    case 'sa':
      return { where: firstIn(last + slack, LAST_SECOND), exact };
    case 'eb':
      return { where: lastIn(FIRST_SECOND, first - slack), exact };
    case 'ap':
      return { where: { all: [firstIn(FIRST_SECOND, last), lastIn(first, LAST_SECOND)] }, exact };
  }
}

function isWholeSecond(ms: number): boolean {
  return !Number.isFinite(ms) || ms % 1000 === 0;
}

/** First and last second touched. Before 1800 counts as 1800, after 2199 as 2199. */
function secondsOf(range: DateRange): { first: number; last: number } {
  const first = clamp(Math.floor(range.fromMs / 1000));
  return { first, last: Math.max(first, clamp(Math.ceil(range.untilMs / 1000) - 1)) };
}

function clamp(second: number): number {
  return Math.min(LAST_SECOND, Math.max(FIRST_SECOND, second));
}

function intervalName(level: Level, second: number): string {
  switch (level) {
    case 'second':
      return `s${second}`;
    case 'minute':
      return `m${Math.floor(second / 60)}`;
    case 'hour':
      return `h${Math.floor(second / 3600)}`;
    case 'day':
      return `d${Math.floor(second / DAY)}`;
    default:
      return calendarName(level, new Date(second * 1000));
  }
}

function calendarName(level: Level, date: Date): string {
  const year = date.getUTCFullYear();
  if (level === 'month') return `M${year * 12 + date.getUTCMonth()}`;
  return level === 'year' ? `y${year}` : `D${Math.floor(year / 10)}`;
}

/** The first second after the interval of `level` that begins at `second`; undefined when none begins there. */
function intervalEnd(level: Level, second: number): number | undefined {
  if (level === 'second') return second + 1;
  if (level === 'minute') return second % 60 === 0 ? second + 60 : undefined;
  if (level === 'hour') return second % 3600 === 0 ? second + 3600 : undefined;
  if (second % DAY !== 0) return undefined;
  if (level === 'day') return second + DAY;
  return calendarEnd(level, new Date(second * 1000));
}

function calendarEnd(level: Level, date: Date): number | undefined {
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  if (date.getUTCDate() !== 1) return undefined;
  if (level === 'month') return Date.UTC(year, month + 1, 1) / 1000;
  if (month !== 0) return undefined;
  if (level === 'year') return Date.UTC(year + 1, 0, 1) / 1000;
  return year % 10 === 0 ? Date.UTC(year + 10, 0, 1) / 1000 : undefined;
}

/** The fewest calendar intervals that together are exactly the seconds `from` to `to`, both included. */
function intervalsOf(from: number, to: number): string[] {
  const names: string[] = [];
  let at = Math.max(from, FIRST_SECOND);
  const end = Math.min(to, LAST_SECOND) + 1;
  while (at < end) {
    for (const level of LEVELS) {
      const next = intervalEnd(level, at);
      if (next === undefined || next > end) continue;
      names.push(intervalName(level, at));
      at = next;
      break;
    }
  }
  return names;
}
