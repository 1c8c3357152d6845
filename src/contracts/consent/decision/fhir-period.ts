/** FHIR dateTime and Period as integers. A time without a zone (a date) is read in UTC, so that every node reads the same. */
import { err, ok, type Result } from '../../../shared/index.ts';

/** What a dateTime covers: start ≤ t < end. `2026-03` covers the month, `2026-03-01T10:00:00Z` the second. */
export interface TimeSpan {
  readonly startMs: number;
  readonly endMs: number;
}

const DATE_TIME =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2}))?)?)?$/;
const DAY_MS = 86_400_000;

/** The span of a FHIR R4 date, dateTime or instant; undefined when it is not one. */
export function parseDateTime(text: unknown): TimeSpan | undefined {
  const match = typeof text === 'string' && text.length <= 40 ? DATE_TIME.exec(text) : null;
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2] ?? '1'), Number(match[3] ?? '1')];
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  const dayMs = dayNumber(year, month, day) * DAY_MS;
  if (match[4] !== undefined) return parseTimeOfDay(dayMs, match);
  if (match[3] !== undefined) return { startMs: dayMs, endMs: dayMs + DAY_MS };
  const [endYear, endMonth] =
    match[2] === undefined ? [year + 1, 1] : month === 12 ? [year + 1, 1] : [year, month + 1];
  return { startMs: dayMs, endMs: dayNumber(endYear, endMonth, 1) * DAY_MS };
}

function parseTimeOfDay(dayMs: number, match: RegExpExecArray): TimeSpan | undefined {
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const offsetMinutes = parseZone(match[8] as string);
  if (offsetMinutes === undefined) return undefined;
  const fractionMs = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  const startMs = dayMs + ((hour * 60 + minute - offsetMinutes) * 60 + second) * 1000 + fractionMs;
  return { startMs, endMs: startMs + (match[7] === undefined ? 1000 : 1) };
}

function parseZone(zone: string): number | undefined {
  if (zone === 'Z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
  if (hours > 14 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar. */
function dayNumber(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Bounds for a period without a start or an end. */
export interface PeriodBounds {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A FHIR Period as from ≤ t < until. R4: the end is inclusive, to its own precision. */
export function parsePeriod(
  period: Record<string, unknown>,
  bounds: PeriodBounds,
): Result<PeriodBounds, string> {
  const start = period.start === undefined ? undefined : parseDateTime(period.start);
  const end = period.end === undefined ? undefined : parseDateTime(period.end);
  if (period.start !== undefined && start === undefined) return err('its start is not a FHIR dateTime');
  if (period.end !== undefined && end === undefined) return err('its end is not a FHIR dateTime');
  if (start === undefined && end === undefined) return err('it has neither start nor end');
  const fromMs = Math.max(bounds.fromMs, start?.startMs ?? bounds.fromMs);
  const untilMs = Math.min(bounds.untilMs, end?.endMs ?? bounds.untilMs);
  return fromMs < untilMs ? ok({ fromMs, untilMs }) : err('its end is not after its start');
}
