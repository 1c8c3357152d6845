import { AppError } from './app-error.ts';

const MAX_DEPTH = 128;

/**
 * The one JSON text of a value (RFC 8785): members sorted by UTF-16 code units, no white space, numbers as ECMAScript writes them.
 * Refuses what JSON cannot say: undefined, functions, NaN, infinities, lone surrogates, and more than 128 levels.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH)
    throw new AppError('nesting-too-deep', `The value is nested deeper than ${MAX_DEPTH} levels.`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'number') return writeNumber(value);
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object') return writeObject(value as Record<string, unknown>, depth);
  throw new AppError('malformed-json', `JSON has no way to write a ${typeof value}.`);
}

function writeObject(value: Record<string, unknown>, depth: number): string {
  const members: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member !== undefined) members.push(`${writeString(name)}:${write(member, depth + 1)}`);
  }
  return `{${members.join(',')}}`;
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw new AppError('malformed-json', 'JSON has no NaN and no infinity.');
  return JSON.stringify(value);
}

function writeString(value: string): string {
  if (!value.isWellFormed()) throw new AppError('malformed-json', 'A text holds half of a surrogate pair.');
  return JSON.stringify(value);
}
