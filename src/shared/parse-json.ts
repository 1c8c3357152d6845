import { AppError } from './app-error.ts';
import { fromUtf8 } from './bytes.ts';

/** Deep enough for any FHIR resource with nested extensions, shallow enough that no walk over it recurses far. */
export const MAX_JSON_DEPTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const KEPT_DIGITS = 17;
/** The name, however it is spelt; and numbers of many digits, or with a large exponent. */
const MAY_BE_REFUSED = /__proto__|\\u|[:[,]\s*-?[0-9.]{18,}|[0-9][eE]\+?[0-9]{3}/;
/** Makes a brace of a bracket: they differ by it alone (ASCII). */
const BRACE_BIT = 0x20;

/**
 * Parses JSON of limited depth, at the border. The nesting is measured before parsing, so that it costs nothing; the parser's own
 * message is dropped because it quotes the input, which may be a patient's.
 */
export function parseJson(bytes: Uint8Array): unknown {
  if (jsonDepthExceeds(bytes, MAX_JSON_DEPTH))
    throw new AppError(
      'nesting-too-deep',
      `The JSON is nested deeper than the ${MAX_JSON_DEPTH} levels allowed.`,
    );
  const text = fromUtf8(bytes);
  if (text === undefined) throw new AppError('malformed-json', 'The body is not UTF-8 text.');
  try {
    // A reviver makes parsing many times slower, so only what might hold what it refuses gets one.
    return JSON.parse(text, MAY_BE_REFUSED.test(text) ? refuseUnkept : undefined);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('malformed-json', 'The body is not well-formed JSON.');
  }
}

/** Whether brackets outside strings nest deeper than `maxDepth`; one pass, no recursion. */
export function jsonDepthExceeds(bytes: Uint8Array, maxDepth: number): boolean {
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) at = endOfText(bytes, at + 1);
    else if ((byte | BRACE_BIT) === OPEN_BRACE) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if ((byte | BRACE_BIT) === CLOSE_BRACE) depth -= 1;
  }
  return false;
}

/** Where the text that began before `at` ends: at its quote, or with the bytes. */
function endOfText(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  return bytes.length;
}

function refuseUnkept(name: string, value: unknown, parsed?: { readonly source?: string }): unknown {
  const source = parsed?.source;
  if (name === '__proto__') throw new AppError('malformed-json', 'An element cannot be called __proto__.');
  if (typeof value === 'number' && source !== undefined && !isKept(source, value))
    throw new AppError(
      'malformed-json',
      `A number has more than the ${KEPT_DIGITS} digits that are kept, and would be another one here.`,
    );
  return value;
}

/** Whether the number is what was written, but for zeros at the end: seventeen digits tell all that a double can hold. */
function isKept(source: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const digits = digitsOf(source);
  return digits.length <= KEPT_DIGITS || digits === digitsOf(String(value));
}

/** Without the zeros at both ends; by index, for /0+$/ takes the square of the length where zeros are many and not last. */
function digitsOf(number: string): string {
  const digits = number.replace(/[eE].*/, '').replace(/[-.]/g, '');
  let [from, until] = [0, digits.length];
  while (digits[from] === '0') from += 1;
  while (until > from && digits[until - 1] === '0') until -= 1;
  return digits.slice(from, until);
}
