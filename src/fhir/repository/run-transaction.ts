import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import { withoutVersion } from '../definitions/references.ts';
import type { WorkQueue } from '../fhir-deps.ts';
import type { RunEntry } from './bundle-entries.ts';
import type { CareRepository } from './care-repository.ts';
import { segmentsOf, splitUrl } from './interactions.ts';
import { located } from './located-entry.ts';
import { namersOfBinaries } from './transaction-binaries.ts';
import { wavesOf } from './transaction-order.ts';
import { isCondition, type ResolvedEntry, resolveConditions, resolveEntries } from './transaction-targets.ts';

/**
 * Bundles of more entries take turns: one is stored while the next is decided on, where several side by side would all come to
 * the disk at once. A smaller one waits for none.
 */
const LARGE_ENTRIES = 64;

/**
 * All entries or none (R4 http, "transaction"). Entries created under a urn:uuid are put there (docs/adr/0002); whatever refers to an
 * entry by its fullUrl, or to a resource by a search, is made to refer to what it resolves to.
 */
export async function runTransaction(
  repository: CareRepository,
  bundle: Bundle,
  run: RunEntry,
  largeBundles: WorkQueue,
): Promise<Bundle> {
  const entries = bundle.entry ?? [];
  const inTurn: WorkQueue = entries.length > LARGE_ENTRIES ? largeBundles : (work) => work();
  const serializable = entries.some(isConditionalWrite);
  if (serializable)
    for (const [place, entry] of entries.entries()) await located(place, () => refuseSearch(entry));
  return repository.withTransaction((inside) => inTurn(() => answerAll(inside, entries, run)), {
    serializable,
  });
}

/** While a transaction with a condition runs, the conditional writes of everybody else wait. */
function refuseSearch({ request }: BundleEntry): void {
  if (request?.method !== 'GET') return;
  const segments = segmentsOf(splitUrl(request.url ?? '').path);
  const isRead = (segments.length === 2 || segments.length === 4) && !segments[1]?.startsWith('_');
  if (isRead) return;
  throw new AppError(
    'unsupported',
    'A transaction with a conditional write can read resources, but not search or ask for a history. Do that in a request of its own.',
  );
}

/** What it does depends on a search, which another transaction must not make untrue meanwhile. */
function isConditionalWrite({ request }: BundleEntry): boolean {
  if (request === undefined || request.method === 'GET') return false;
  return request.method === 'POST' ? request.ifNoneExist !== undefined : isCondition(request.url ?? '');
}

async function answerAll(
  inside: CareRepository,
  entries: readonly BundleEntry[],
  run: RunEntry,
): Promise<Bundle> {
  const answers = new Array<BundleEntry>(entries.length);
  const resolved = await resolveEntries(inside, entries);
  const answer = async (one: ResolvedEntry) =>
    run(inside, one.conditions.size === 0 ? one.entry : await resolveConditions(inside, one));
  const namers = namersOfBinaries(resolved, inside.ownBase);
  for (const wave of wavesOf(resolved, namers, inside.ownBase)) {
    await Promise.all(
      wave.map(async (place) => {
        for (const namer of namers.get(place) ?? [])
          inside.placeBinaryBy(resolved[place]?.entry.resource?.id, addressOf(answers[namer]));
        answers[place] = await located(place, () => answer(resolved[place] as ResolvedEntry));
      }),
    );
  }
  return { resourceType: 'Bundle', type: 'transaction-response', entry: answers };
}

/** Of what an entry has written. */
function addressOf(answer: BundleEntry | undefined): string | undefined {
  return answer?.response?.location && withoutVersion(answer.response.location);
}
