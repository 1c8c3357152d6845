import { localReference } from '../definitions/references.ts';
import { baseOf, forEachObject, isObject, type Json, type JsonObject } from './resource-walk.ts';

/** A resource in another one. `name` is its address (`Observation/1`) where it is a copy of one of this server. */
export interface InnerResource {
  readonly resource: JsonObject;
  readonly name: string | undefined;
}

/** What a resource holds: contained resources, the entries of a Bundle, and what these hold. */
export function innerResourcesOf(resource: JsonObject, ownBase: string): InnerResource[] {
  const found: InnerResource[] = [];
  forEachObject(resource, (object) => {
    // Contained resources have ids within the one that they are in, and no address.
    for (const one of Array.isArray(object.contained) ? object.contained : [])
      if (isObject(one)) found.push({ resource: one, name: undefined });
    const entry = object.resource;
    if (isObject(entry) && typeof entry.resourceType === 'string')
      found.push({ resource: entry, name: nameOfEntry(entry, object.fullUrl, ownBase) });
  });
  return found;
}

/** By its fullUrl, where that is an address; else by its id, as a server of this name space would have written it. */
function nameOfEntry(
  { resourceType, id }: JsonObject,
  fullUrl: Json | undefined,
  ownBase: string,
): string | undefined {
  const isAddress = typeof fullUrl === 'string' && baseOf(fullUrl) !== undefined;
  if (!isAddress && typeof id !== 'string') return undefined;
  const name = localReference(isAddress ? fullUrl : `${resourceType}/${id}`, ownBase);
  return /^[A-Z]\w*\/[^/]+$/.test(name) ? name : undefined;
}
