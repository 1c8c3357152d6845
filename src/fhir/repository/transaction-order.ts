import type { Resource } from '@medplum/fhirtypes';
import { definingReferences } from '../labels/index.ts';
import { type JsonObject, localReferencesOf } from '../labels/resource-walk.ts';
import { allLinksOf, linksOf, speaksOfPatients } from './linked-records.ts';
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

/**
 * Each entry one deeper than all that it needs. Of a ring, where none can come first, the one goes ahead that has most to go by
 * beside the ring.
 */
function depthsOf(entries: readonly ResolvedEntry[], needs: readonly Needs[]): number[] {
  const depths = entries.map(startOf);
  const open = needs.map(({ places }) => places.length);
  const neededBy: number[][] = needs.map(() => []);
  for (const [place, { places }] of needs.entries()) for (const one of places) neededBy[one]?.push(place);
  const settled = open.flatMap((count, place) => (count === 0 ? [place] : []));
  const isSettled = open.map((count) => count === 0);
  const settle = (place: number): void => {
    isSettled[place] = true;
    settled.push(place);
  };
  // What is settled stays so: no need is looked at twice, however many rings there are.
  const seen = needs.map(() => 0);
  const nextNeed = (place: number): number => {
    const places = needs[place]?.places ?? [];
    while (isSettled[places[seen[place] as number] as number]) seen[place] = (seen[place] as number) + 1;
    return places[seen[place] as number] as number;
  };
  const goesBy = (place: number): number => (needs[place]?.links ?? 0) - (open[place] ?? 0);
  for (let next = 0; next < entries.length; next += 1) {
    if (next === settled.length) settle(firstOfRing(isSettled, nextNeed, goesBy));
    const place = settled[next] as number;
    for (const dependent of neededBy[place] ?? []) {
      depths[dependent] = Math.max(
        depths[dependent] ?? 0,
        isSettled[dependent] ? 0 : (depths[place] ?? 0) + 1,
      );
      open[dependent] = (open[dependent] ?? 0) - 1;
      if (open[dependent] === 0 && !isSettled[dependent]) settle(dependent);
    }
  }
  return depths;
}

/** Follows what is needed and not settled until it comes round. */
function firstOfRing(
  isSettled: readonly boolean[],
  nextNeed: (place: number) => number,
  goesBy: (place: number) => number,
): number {
  const path = new Set<number>();
  let place = isSettled.indexOf(false);
  while (!path.has(place)) {
    path.add(place);
    place = nextNeed(place);
  }
  const walked = [...path];
  const ring = walked.slice(walked.indexOf(place));
  return ring.reduce((best, one) => (goesBy(one) > goesBy(best) ? one : best));
}

function startOf({ entry, conditions }: ResolvedEntry): number {
  if (conditions.size > 0) return AFTER_PATCHES;
  return entry.request?.method === 'PATCH' ? AFTER_WRITES : 0;
}

type Needs = {
  /** Of the entries that have to be there when this one is written. */
  readonly places: readonly number[];
  /** How many records it goes by, here and in the transaction. */
  readonly links: number;
};

function needsOf(entries: readonly ResolvedEntry[], namers: PlacesOf, ownBase: string): Needs[] {
  const placeOf = new Map<string, number>();
  for (const [place, { entry }] of entries.entries())
    if (entry.resource?.id !== undefined)
      placeOf.set(`${entry.resource.resourceType}/${entry.resource.id}`, place);
  return entries.map(({ entry }, place) => {
    const references = entry.resource === undefined ? [] : placingReferences(entry.resource, ownBase);
    const isNeeded = (one: number | undefined) => one !== place && !namers.get(one ?? -1)?.includes(place);
    const found = [...new Set(references)].map((reference) => placeOf.get(reference)).filter(isNeeded);
    const places = new Set([...found, ...(namers.get(place) ?? [])]);
    const outside = found.filter((one) => one === undefined).length;
    places.delete(undefined);
    return { places: [...places] as number[], links: places.size + outside };
  });
}

/** Elements of the Patient whom a resource is about. */
const ABOUT = ['subject', 'patient', 'beneficiary', 'individual'];

/** What can matter to where it is put, and under which labels. Of what says whom it is about, only a few references do. */
function placingReferences(resource: Resource, ownBase: string): string[] {
  const content = resource as unknown as JsonObject;
  const about = ABOUT.flatMap((element) => localReferencesOf(content[element], ownBase));
  const isAboutKnown = resource.resourceType === 'Patient' || about.some((one) => /^Patient[/?]/.test(one));
  const defining = definingReferences(resource, ownBase);
  return isAboutKnown
    ? [...linksOf(resource, ownBase), ...defining]
    : [...allLinksOf(resource, ownBase).filter(mayTell), ...defining];
}

const mayTell = (link: string): boolean => /^[A-Z]/.test(link) && speaksOfPatients(link.split('/')[0] ?? '');
