/** Walking a FHIR resource as JSON, with limits, since stored content may be anything a validator let through. */
import { AppError } from '../../shared/index.ts';

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

const PLAIN = /^([A-Z][A-Za-z]*)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[A-Za-z0-9.-]+)?$/;
const TYPE = /^[A-Z][A-Za-z]*$/;
const ID = /^[A-Za-z0-9.-]{1,64}$/;

/**
 * `Type/id` where the reference is to a resource of this server, whichever way it is written (R4 references, "Literal References");
 * else as it is. Whoever asks what a record names, or whose it is, asks here: two readings would let one escape the other.
 */
export function localReference(reference: string, ownBase: string): string {
  const relative = reference.startsWith(`${ownBase}/`) ? reference.slice(ownBase.length + 1) : reference;
  const [, type, id] = PLAIN.exec(relative) ?? oddlyWritten(relative, ownBase) ?? [];
  return type === undefined ? reference : `${type}/${id}`;
}

/** What no careful sender writes, but a reader would still follow: a host in capitals, slashes too many, a part behind `#`. */
function oddlyWritten(reference: string, ownBase: string): [string, string, string] | undefined {
  const base = `${ownBase}/`;
  const relative = reference.trim().replace(/^\/+(?=[A-Z][A-Za-z]*\/)/, '');
  if (/^(?:#|urn:)/i.test(relative) || !URL.canParse(relative, base)) return undefined;
  const [url, own] = [new URL(relative, base), new URL(base)];
  const [segments, ownSegments] = [segmentsOf(url), segmentsOf(own)];
  if (url.host !== own.host || ownSegments.some((segment, at) => segment !== segments[at])) return undefined;
  const [type = '', id = ''] = segments.slice(ownSegments.length);
  return TYPE.test(type) && ID.test(id) ? [reference, type, id] : undefined;
}

function segmentsOf({ pathname }: URL): string[] {
  return pathname
    .replace(/%[2-7][0-9a-f]/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
    .split('/')
    .filter((segment) => segment !== '');
}
