/** Walking a FHIR resource as JSON, with limits, since stored content may be anything a validator let through. */
import { AppError } from '../../shared/index.ts';
import { localReference } from '../definitions/references.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

const MAX_DEPTH = 128;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Calls `visit` for every object at or below `value`. */
export function forEachObject(value: Json | undefined, visit: (object: JsonObject) => void, depth = 0): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH)
    throw new AppError('nesting-too-deep', `The resource is nested deeper than ${MAX_DEPTH} levels.`);
  if (Array.isArray(value)) {
    for (const item of value) forEachObject(item, visit, depth + 1);
    return;
  }
  visit(value as JsonObject);
  for (const name of Object.keys(value)) forEachObject((value as JsonObject)[name], visit, depth + 1);
}

export interface FoundCoding {
  readonly system: string;
  readonly code: string;
}

/** Every object with a system and a code at or below `value`: codings, and quantities, which no table names. */
export function codingsOf(value: Json | undefined): FoundCoding[] {
  const found: FoundCoding[] = [];
  forEachObject(value, ({ system, code }) => {
    if (typeof system === 'string' && typeof code === 'string') found.push({ system, code });
  });
  return found;
}

/** Every literal reference at or below `value`, relative where it is (`Condition/1`), without a version. */
export function referencesOf(value: Json | undefined): string[] {
  const found = new Set<string>();
  forEachObject(value, ({ reference }) => {
    if (typeof reference === 'string') found.add(reference.replace(/\/_history\/.*$/, ''));
  });
  return [...found];
}

/** The same, with those to this server (`ownBase` is its address) as it writes them itself, however they are spelt. */
export function localReferencesOf(value: Json | undefined, ownBase: string): string[] {
  return referencesOf(value).map((reference) => localReference(reference, ownBase));
}
