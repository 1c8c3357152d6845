/** Walking a FHIR resource as JSON, with limits, since stored content may be anything a validator let through. */
import { AppError } from '../../shared/index.ts';
import { localReference, withoutVersion } from '../definitions/references.ts';

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
  if (depth > MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) {
    for (const item of value) forEachObject(item, visit, depth + 1);
    return;
  }
  visit(value as JsonObject);
  for (const name of Object.keys(value)) forEachObject((value as JsonObject)[name], visit, depth + 1);
}

function tooDeep(): AppError {
  return new AppError('nesting-too-deep', `The resource is nested deeper than ${MAX_DEPTH} levels.`);
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

/**
 * Every literal reference at or below `value`, relative where it is (`Condition/1`), without a version. A relative one in an entry
 * of a Bundle is to the server that the entry comes from (R4 bundle, "Resolving references in Bundles").
 */
export function referencesOf(value: Json | undefined): string[] {
  const found = new Set<string>();
  collectReferences(value, '', found, 0);
  return [...found];
}

function collectReferences(
  value: Json | undefined,
  base: string,
  found: Set<string>,
  depth: number,
  element: 'reference' | 'url' = 'reference',
): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) {
    for (const item of value) collectReferences(item, base, found, depth + 1, element);
    return;
  }
  const object = value as JsonObject;
  const address = object[element];
  if (typeof address === 'string') found.add(resolved(withoutVersion(address), base));
  for (const name of Object.keys(object)) {
    const isEntry = name === 'resource' && typeof object.fullUrl === 'string';
    const within = isEntry ? (baseOf(object.fullUrl as string) ?? base) : base;
    collectReferences(object[name], within, found, depth + 1, element);
  }
}

const REST_URL =
  /^([Hh][Tt][Tt][Pp][Ss]?:\/\/.+\/)[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}(?:\/_history\/[^/]+)?$/;

/** The address of the server that the fullUrl of a Bundle's entry names; undefined for a urn, which names none. */
export function baseOf(fullUrl: string): string | undefined {
  return REST_URL.exec(fullUrl)?.[1];
}

function resolved(reference: string, base: string): string {
  const isRelative = base !== '' && !/^(?:#|[a-z][a-z0-9+.-]*:)/i.test(reference.trim());
  return isRelative ? base + reference.trim().replace(/^\/+/, '') : reference;
}

/** Every `url` at or below `value` in the same way, as attachments have it: `Binary/1`. */
export function localUrlsOf(value: Json | undefined, ownBase: string): string[] {
  const found = new Set<string>();
  collectReferences(value, '', found, 0, 'url');
  return [...found].map((url) => localReference(url, ownBase));
}

/** The same, with those to this server (`ownBase` is its address) as it writes them itself, however they are spelt. */
export function localReferencesOf(value: Json | undefined, ownBase: string): string[] {
  return referencesOf(value).map((reference) => localReference(reference, ownBase));
}
