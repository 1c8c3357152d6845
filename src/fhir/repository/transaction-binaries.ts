import type { Resource } from '@medplum/fhirtypes';
import { localReference } from '../definitions/references.ts';
import { forEachObject, type JsonObject } from '../labels/resource-walk.ts';
import { isUnplacedBinary } from './linked-records.ts';
import type { ResolvedEntry } from './transaction-targets.ts';

/** For places of entries, the places of others. */
export type PlacesOf = ReadonlyMap<number, readonly number[]>;

/**
 * Which entries of a transaction name a Binary of it that does not say itself whose it is: by an `attachment.url`, or by a
 * reference. They are written before it, and it is put under their patients.
 */
export function namersOfBinaries(entries: readonly ResolvedEntry[], ownBase: string): PlacesOf {
  const binaries = placesOfUnplaced(entries);
  const namers = new Map<number, number[]>();
  if (binaries.size === 0) return namers;
  for (const [place, { entry }] of entries.entries()) {
    const { resource, request } = entry;
    if (resource === undefined || resource.resourceType === 'Binary' || request?.method === 'GET') continue;
    for (const name of namesWithin(resource, ownBase)) {
      const binary = binaries.get(name);
      if (binary !== undefined) namers.set(binary, [...(namers.get(binary) ?? []), place]);
    }
  }
  return namers;
}

/** By what an entry can name them: `Binary/1`, or the address under which it was sent. */
function placesOfUnplaced(entries: readonly ResolvedEntry[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (const [place, { entry }] of entries.entries()) {
    const { resource, request, fullUrl } = entry;
    if (request?.method !== 'PUT' || resource?.id === undefined || !isUnplacedBinary(resource)) continue;
    places.set(`Binary/${resource.id}`, place);
    if (fullUrl !== undefined) places.set(fullUrl, place);
  }
  return places;
}

function namesWithin(resource: Resource, ownBase: string): ReadonlySet<string> {
  const names = new Set<string>();
  forEachObject(resource as unknown as JsonObject, ({ url, reference }) => {
    for (const text of [url, reference])
      if (typeof text === 'string') names.add(text).add(localReference(text, ownBase));
  });
  return names;
}
