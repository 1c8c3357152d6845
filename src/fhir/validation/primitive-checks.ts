import { isInCalendar } from './form-rules.ts';

/** Forms that every check of a primitive accepts; some values that R4 allows are left to the whole validation. */
type Check = (value: unknown) => boolean;

const MAX_TEXT = 1024 * 1024;
const MAX_BASE64 = 1024 * 1024;
const TWO = 0x32;
const MAX_INTEGER = 2_147_483_647;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what R4 does not allow in a string
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;
const YEAR = '[12]\\d{3}';
const DAY = '(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])';
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?';
const ZONE = '(?:Z|[+-](?:0\\d|1[0-3]):[0-5]\\d)';

const isText: Check = (value) =>
  typeof value === 'string' && value.length <= MAX_TEXT && !FORBIDDEN.test(value) && /\S/.test(value);
const isUri = matching(/^\S+$/);

export const PRIMITIVE_CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['base64Binary', isBase64],
  ['boolean', (value) => typeof value === 'boolean'],
  ['canonical', isUri],
  ['code', matching(/^[^\s]+( [^\s]+)*$/)],
  ['date', dayOf(new RegExp(`^${YEAR}(?:-(?:0[1-9]|1[0-2])|-${DAY})?$`))],
  ['dateTime', dayOf(new RegExp(`^${YEAR}(?:-(?:0[1-9]|1[0-2])|-${DAY}(?:T${CLOCK}${ZONE})?)?$`))],
  ['decimal', (value) => typeof value === 'number' && Number.isFinite(value)],
  ['id', matching(/^[A-Za-z0-9\-.]{1,64}$/)],
  ['instant', dayOf(new RegExp(`^${YEAR}-${DAY}T${CLOCK}${ZONE}$`))],
  ['integer', integerFrom(-MAX_INTEGER)],
  ['markdown', isText],
  ['positiveInt', integerFrom(1)],
  ['string', isText],
  ['time', matching(new RegExp(`^${CLOCK}$`))],
  ['unsignedInt', integerFrom(0)],
  ['uri', isUri],
  ['url', isUri],
  ['xhtml', isText],
  ['http://hl7.org/fhirpath/System.String', isText],
]);

function matching(format: RegExp): Check {
  return (value) => typeof value === 'string' && value.length <= MAX_TEXT && format.test(value);
}

function integerFrom(least: number): Check {
  return (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= MAX_INTEGER;
}

/** Days that not every month has are held against the calendar. */
function dayOf(format: RegExp): Check {
  return (value) =>
    typeof value === 'string' &&
    format.test(value) &&
    (value.length < 10 || value.charCodeAt(8) < TWO || isInCalendar(value));
}

function isBase64(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.length <= MAX_BASE64 &&
    value.length % 4 === 0 &&
    /^[A-Za-z\d+/]+={0,2}$/.test(value)
  );
}
