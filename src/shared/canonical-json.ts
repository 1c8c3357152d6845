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
  if (Array.isArray(value)) return writeArray(value, depth);
  if (typeof value === 'object') return writeObject(value as Record<string, unknown>, depth);
  throw new AppError('malformed-json', `JSON has no way to write a ${typeof value}.`);
}

function writeArray(value: readonly unknown[], depth: number): string {
  let text = '[';
  for (let at = 0; at < value.length; at += 1) text += (at === 0 ? '' : ',') + write(value[at], depth + 1);
  return `${text}]`;
}

function writeObject(value: Record<string, unknown>, depth: number): string {
  let text = '{';
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member === undefined) continue;
    text += `${text === '{' ? '' : ','}${writeString(name)}:${write(member, depth + 1)}`;
  }
  return `${text}}`;
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw new AppError('malformed-json', 'JSON has no NaN and no infinity.');
  return JSON.stringify(value);
}

/** Texts without anything to escape, and without surrogates. */
const PLAIN = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

function writeString(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw new AppError('malformed-json', 'A text holds half of a surrogate pair.');
  return JSON.stringify(value);
}
