import type { Resource } from '@medplum/fhirtypes';
import { definingReferences } from '../labels/index.ts';
import { type JsonObject, localReferencesOf } from '../labels/resource-walk.ts';
import { linksOf } from './linked-records.ts';
import type { PlacesOf } from './transaction-binaries.ts';
import type { ResolvedEntry } from './transaction-targets.ts';

const CONCURRENT_WRITES = 64;
/** R4 http, "transaction": deletes, then what is written, then reads. */
const PHASES = ['DELETE', 'write', 'GET'];
/** Among what is written: patches after creates and updates, and what refers by a search after those. */
const AFTER_WRITES = 1_000_000;
const AFTER_PATCHES = 2_000_000;
const PHASE_STEP = 10_000_000;

/**
 * Places of entries that may run at once. What says whose another entry is, or what it is (an Encounter, a Medication), comes before
 * that one; reads and whatever has a condition run alone. `namers` are the entries that say whose a Binary is.
 */
export function wavesOf(entries: readonly ResolvedEntry[], namers: PlacesOf, ownBase: string): number[][] {
  const depths = depthsOf(entries, needsOf(entries, namers, ownBase));
  const rank = (place: number) => phaseOf(entries[place]) * PHASE_STEP + (depths[place] ?? 0);
  const joinsOthers = (place: number) => isPlainPut(entries[place]);
  const places = entries
    .map((_, place) => place)
    .sort(
      (left, right) =>
        rank(left) - rank(right) || Number(joinsOthers(left)) - Number(joinsOthers(right)) || left - right,
    );
  const waves: number[][] = [];
  for (const place of places) {
    const last = waves.at(-1) ?? [];
    const [first] = last;
    const joins =
      first !== undefined &&
      last.length < CONCURRENT_WRITES &&
      rank(first) === rank(place) &&
      joinsOthers(first) &&
      joinsOthers(place);
    if (joins) last.push(place);
    else waves.push([place]);
  }
  return waves;
}

function phaseOf(resolved: ResolvedEntry | undefined): number {
  const phase = PHASES.indexOf(resolved?.entry.request?.method ?? '');
  return phase < 0 ? PHASES.indexOf('write') : phase;
}

function isPlainPut(resolved: ResolvedEntry | undefined): boolean {
  const { method, url } = resolved?.entry.request ?? {};
  return method === 'PUT' && resolved?.conditions.size === 0 && !(url ?? '').includes('?');
}

/** Each entry one deeper than all that it needs. Those of a ring, which cannot all come first, keep the order they were sent in. */
function depthsOf(entries: readonly ResolvedEntry[], needs: readonly (readonly number[])[]): number[] {
  const depths = entries.map(startOf);
  const open = needs.map((needed) => needed.length);
  const neededBy: number[][] = needs.map(() => []);
  for (const [place, needed] of needs.entries()) for (const one of needed) neededBy[one]?.push(place);
  const settled = open.flatMap((count, place) => (count === 0 ? [place] : []));
  for (const place of settled) {
    for (const dependent of neededBy[place] ?? []) {
      depths[dependent] = Math.max(depths[dependent] ?? 0, (depths[place] ?? 0) + 1);
      open[dependent] = (open[dependent] ?? 0) - 1;
      if (open[dependent] === 0) settled.push(dependent);
    }
  }
  return depths;
}

function startOf({ entry, conditions }: ResolvedEntry): number {
  if (conditions.size > 0) return AFTER_PATCHES;
  return entry.request?.method === 'PATCH' ? AFTER_WRITES : 0;
}

/** For each entry, the places of those that have to be there when it is written. */
function needsOf(entries: readonly ResolvedEntry[], namers: PlacesOf, ownBase: string): number[][] {
  const placeOf = new Map<string, number>();
  for (const [place, { entry }] of entries.entries())
    if (entry.resource?.id !== undefined)
      placeOf.set(`${entry.resource.resourceType}/${entry.resource.id}`, place);
  return entries.map(({ entry }, place) => {
    const references = entry.resource === undefined ? [] : placingReferences(entry.resource, ownBase);
    const places = references.map((reference) => placeOf.get(reference));
    const isNeeded = (one: number | undefined) =>
      one !== undefined && one !== place && namers.get(one)?.includes(place) !== true;
    return [...new Set([...places, ...(namers.get(place) ?? [])])].filter(isNeeded) as number[];
  });
}

/** Elements of the Patient whom a resource is about. */
const ABOUT = ['subject', 'patient', 'beneficiary', 'individual'];

/** What can matter to where it is put, and under which labels. Of what says whom it is about, only a few references do. */
function placingReferences(resource: Resource, ownBase: string): string[] {
  const content = resource as unknown as JsonObject;
  const about = ABOUT.flatMap((element) => localReferencesOf(content[element], ownBase));
  const isAboutKnown = resource.resourceType === 'Patient' || about.some((one) => /^Patient[/?]/.test(one));
  return isAboutKnown
    ? [...linksOf(resource, ownBase), ...definingReferences(resource, ownBase)]
    : localReferencesOf(content, ownBase);
}
