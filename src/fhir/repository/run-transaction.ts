import { getStatus, isOk, OperationOutcomeError } from '@medplum/core';
import type {
  Bundle,
  BundleEntry,
  OperationOutcome,
  OperationOutcomeIssue,
  Resource,
} from '@medplum/fhirtypes';
import { AppError } from '../../shared/index.ts';
import type { WorkQueue } from '../fhir-deps.ts';
import { InvalidResourceError, LocatedError } from '../http/outcome.ts';
import type { CareRepository } from './care-repository.ts';
import { wavesOf } from './transaction-order.ts';
import { type ResolvedEntry, resolveConditions, resolveEntries } from './transaction-targets.ts';
import { effectOf } from './write-effect.ts';

/** Answers one entry as if it were a request of its own, inside the transaction. */
export type RunEntry = (repository: CareRepository, entry: BundleEntry) => Promise<BundleEntry>;

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
  return repository.withTransaction((inside) => inTurn(() => answerAll(inside, entries, run)), {
    resourceTypes: [],
    serializable: entries.some(isConditionalWrite),
  });
}

/** What it does depends on a search, which another transaction must not make untrue meanwhile. */
function isConditionalWrite({ request }: BundleEntry): boolean {
  const isConditional = request?.ifNoneExist !== undefined || (request?.url ?? '').includes('?');
  return isConditional && request?.method !== 'GET';
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
  for (const wave of wavesOf(resolved)) {
    await Promise.all(
      wave.map(async (place) => {
        answers[place] = await located(place, () => answer(resolved[place] as ResolvedEntry));
      }),
    );
  }
  return { resourceType: 'Bundle', type: 'transaction-response', entry: answers };
}

/** The first failure ends the transaction; its issues say in which entry they are. */
async function located(place: number, work: () => Promise<BundleEntry>): Promise<BundleEntry> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof OperationOutcomeError ? (error.cause ?? error) : error;
    if (cause instanceof InvalidResourceError)
      throw new InvalidResourceError(cause.issues.map((issue) => withEntry(issue, place)));
    if (cause instanceof AppError)
      throw new LocatedError(cause.code, cause.message, `Bundle.entry[${place}]`, { cause });
    throw error;
  }
}

function withEntry(issue: OperationOutcomeIssue, place: number): OperationOutcomeIssue {
  const within = (path: string) =>
    `Bundle.entry[${place}].resource.${path.replace(/^[A-Z]\w*\.?/, '')}`.replace(/\.$/, '');
  return { ...issue, expression: (issue.expression ?? ['']).map(within) };
}

/** R4 http, "update": nothing changed, so there is no new version; whoever counts wants to know. */
const UNCHANGED: OperationOutcome = {
  resourceType: 'OperationOutcome',
  issue: [
    {
      severity: 'information',
      code: 'informational',
      details: { text: 'The resource was already as sent. It has no new version.' },
    },
  ],
};

/** An outcome of the router that is an error ends the transaction too. */
export function responseEntry(
  outcome: Parameters<typeof getStatus>[0],
  resource: Resource | undefined,
): BundleEntry {
  if (!isOk(outcome)) throw new OperationOutcomeError(outcome);
  const versionId = resource?.meta?.versionId;
  const effect = effectOf(resource);
  return {
    ...(resource !== undefined && { resource }),
    response: {
      status: effect === 'created' ? '201' : String(getStatus(outcome)),
      ...(effect === 'unchanged' && { outcome: UNCHANGED }),
      ...(resource?.id !== undefined && {
        location: `${resource.resourceType}/${resource.id}${versionId === undefined ? '' : `/_history/${versionId}`}`,
      }),
      ...(versionId !== undefined && { etag: `W/"${versionId}"` }),
      ...(resource?.meta?.lastUpdated !== undefined && { lastModified: resource.meta.lastUpdated }),
    },
  };
}
