/** Makes a valid R4 resource invalid in one known way at one known place. */
import { type InternalSchemaElement, tryGetDataType } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';

export type Random = () => number;
export type Mutant = {
  readonly kind: string;
  readonly resource: Resource;
  /** FHIRPath places, one of which an issue has to name (or something below it). */
  readonly places: readonly string[];
};

type Json = Record<string, unknown>;
type Element = { readonly name: string; readonly schema: InternalSchemaElement; readonly typeCode: string };
/** A property that the resource has: `parent[key]`, at `path`. */
type Site = Element & { readonly parent: Json; readonly key: string; readonly path: string };
/** Changes the site and tells where; or leaves it as it is, where it has no place for such a change. */
type Change = (site: Site, random: Random) => readonly string[] | undefined;

const STRING_TYPES = new Set(
  'base64Binary canonical code date dateTime id instant markdown oid string time uri url uuid xhtml'.split(
    ' ',
  ),
);
const NUMBER_TYPES = new Set(['decimal', 'integer', 'positiveInt', 'unsignedInt']);
const DATES: Readonly<Record<string, readonly string[]>> = {
  date: ['yesterday', '2026-13-01', '2026-1-1', '2026-02-30', '2026-01-01T00:00:00Z'],
  dateTime: ['yesterday', '2026-00-10', '2026-01-01T10:00:00', '2026-02-30', '2026-01-01T25:00:00Z'],
  instant: ['yesterday', '2026-01-01', '2026-01-01T10:00:00', '2026-01-01T10:61:00Z'],
  time: ['noon', '25:00:00', '10:00', '10:00:00Z'],
};
const OUT_OF_RANGE: Readonly<Record<string, number>> = {
  integer: 1.5,
  positiveInt: 0,
  unsignedInt: -1,
};
const UNKNOWN = 'notInThisRelease';

/** Codes of these are an open grammar (BCP 47, MIME, UCUM), so no list tells that one is not in them. */
const OPEN_VALUE_SETS = /\/(languages|all-languages|mimetypes|ucum-units)(\||$)/;

const CHANGES: Readonly<Record<string, Change>> = {
  'wrong type': (site) => {
    const wrong = wrongValue(site.typeCode);
    return wrong === undefined ? undefined : replaceOne(site, wrong);
  },
  'unknown property': (site) => {
    const value = one(site);
    if (!isJson(value) || tryGetDataType(site.typeCode) === undefined) return undefined;
    value[UNKNOWN] = true;
    return [`${placeOfOne(site)}.${UNKNOWN}`];
  },
  'required property missing': ({ schema, parent, key, path }) => {
    if (schema.min === 0 || key.startsWith('resourceType')) return undefined;
    delete parent[key];
    delete parent[`_${key}`];
    const isLast = Object.keys(parent).length === 0;
    return [path, choicePlace(path, key, schema), ...(isLast ? [parentPlace(path, key)] : [])];
  },
  'code outside a required binding': (site) => {
    const { binding } = site.schema;
    if (binding?.strength !== 'required' || site.typeCode !== 'code') return undefined;
    if (OPEN_VALUE_SETS.test(binding.valueSet ?? '')) return undefined;
    return replaceOne(site, 'not-in-the-value-set');
  },
  'impossible date': (site, random) => {
    const values = DATES[site.typeCode];
    return values === undefined ? undefined : replaceOne(site, pick(values, random));
  },
  'list where one is allowed': ({ schema, parent, key, path }) => {
    if (schema.isArray) return undefined;
    parent[key] = [parent[key], parent[key]];
    return [path];
  },
  'one where a list is needed': ({ schema, parent, key, path }) => {
    const [first] = schema.isArray ? (parent[key] as unknown[]) : [null];
    if (first === null) return undefined;
    parent[key] = first;
    return [path];
  },
  'choice made twice': ({ name, schema, parent, key, path }) => {
    const base = name.replace('[x]', '');
    const other = schema.type.find(({ code }) => STRING_TYPES.has(code) && key !== base + capital(code));
    if (base === name || schema.type.length < 2 || other === undefined) return undefined;
    const added = base + capital(other.code);
    parent[added] =
      DATES[other.code] === undefined ? 'urn:x' : other.code === 'time' ? '10:00:00' : '2026-01-01';
    return [path, `${parentPlace(path, key)}.${added}`];
  },
  'number out of range': (site) => {
    const value = OUT_OF_RANGE[site.typeCode];
    return value === undefined ? undefined : replaceOne(site, value);
  },
  'null for a value': (site) => (site.key === 'resourceType' ? undefined : replaceOne(site, null)),
  'resource of no type inside': (site) => {
    if (site.typeCode !== 'Resource') return undefined;
    return replaceOne(site, { resourceType: 'NoSuchType', id: 'x' });
  },
  'empty text': (site) => (STRING_TYPES.has(site.typeCode) ? replaceOne(site, '') : undefined),
  'empty list': ({ schema, parent, key, path }) => {
    if (!schema.isArray) return undefined;
    parent[key] = [];
    return [path];
  },
  'empty object': (site) => (isJson(one(site)) ? replaceOne(site, {}) : undefined),
};

export const MUTATION_KINDS: readonly string[] = Object.keys(CHANGES);

/** The resource with one change of that kind at a random place; undefined where it has no place for it. */
export function mutate(valid: Resource, kind: string, random: Random): Mutant | undefined {
  const resource = structuredClone(valid);
  const sites = sitesOf(resource);
  const start = Math.floor(random() * sites.length);
  for (let step = 0; step < sites.length; step += 1) {
    const places = CHANGES[kind]?.(sites[(start + step) % sites.length] as Site, random);
    if (places !== undefined) return { kind, resource, places };
  }
  return undefined;
}

function sitesOf(resource: Resource): Site[] {
  const sites: Site[] = [];
  collect(resource as unknown as Json, resource.resourceType, resource.resourceType, sites);
  return sites;
}

function collect(parent: Json, type: string, path: string, sites: Site[]): void {
  for (const element of elementsOf(parent, type)) {
    const key = keyOf(element);
    // The server sets the id and meta of the whole itself.
    if (!path.includes('.') && (key === 'id' || key === 'meta')) continue;
    const site = { ...element, parent, key, path: `${path}.${key}` };
    sites.push(site);
    const value = parent[key];
    for (const [place, item] of (Array.isArray(value) ? value : [value]).entries()) {
      const at = Array.isArray(value) ? `${site.path}[${place}]` : site.path;
      if (isJson(item)) collect(item, resourceTypeOf(item, element.typeCode), at, sites);
    }
  }
}

/** The elements that the object has; a choice under the type it was made for. */
function elementsOf(parent: Json, type: string): Element[] {
  const elements = Object.entries(tryGetDataType(type)?.elements ?? {});
  return elements.flatMap(([name, schema]) =>
    (name.endsWith('[x]') ? schema.type : schema.type.slice(0, 1))
      .map(({ code }) => ({ name, schema, typeCode: code }))
      .filter((element) => parent[keyOf(element)] !== undefined),
  );
}

function keyOf({ name, typeCode }: Pick<Element, 'name' | 'typeCode'>): string {
  return name.endsWith('[x]') ? name.slice(0, -3) + capital(typeCode) : name;
}

function resourceTypeOf(item: Json, typeCode: string): string {
  return typeCode === 'Resource' && typeof item.resourceType === 'string' ? item.resourceType : typeCode;
}

function wrongValue(typeCode: string): unknown {
  if (STRING_TYPES.has(typeCode)) return 7;
  if (NUMBER_TYPES.has(typeCode)) return 'many';
  if (typeCode === 'boolean') return 'yes';
  return tryGetDataType(typeCode) === undefined ? undefined : 'text';
}

/** The value, or the first one of a list. */
function one({ parent, key }: Site): unknown {
  const value = parent[key];
  return Array.isArray(value) ? value[0] : value;
}

function placeOfOne({ parent, key, path }: Site): string {
  return Array.isArray(parent[key]) ? `${path}[0]` : path;
}

function replaceOne(site: Site, value: unknown): string[] {
  const { parent, key } = site;
  if (Array.isArray(parent[key])) parent[key][0] = value;
  else parent[key] = value;
  return [placeOfOne(site)];
}

/** What is not there has no type: a choice is named without one. */
function choicePlace(path: string, key: string, schema: InternalSchemaElement): string {
  const name = (schema.path.split('.').at(-1) as string).replace('[x]', '');
  return `${parentPlace(path, key)}.${name}`;
}

function parentPlace(path: string, key: string): string {
  return path.slice(0, -key.length - 1);
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[Math.floor(random() * items.length)] as T;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
