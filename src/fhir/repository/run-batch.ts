import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { outcomeOfError } from '../http/outcome.ts';
import type { RequestBudget } from '../request-budget.ts';
import type { RunEntry } from './bundle-entries.ts';
import type { CareRepository } from './care-repository.ts';
import { refuseDangling } from './transaction-targets.ts';

/**
 * Each entry by itself, one after the other: what becomes of one says nothing of the next (R4 http, "batch"), but when too much was
 * opened for those before.
 */
export async function runBatch(
  repository: CareRepository,
  entries: readonly BundleEntry[],
  run: RunEntry,
  budget: RequestBudget,
): Promise<Bundle> {
  const answers: BundleEntry[] = [];
  for (const entry of entries) answers.push(await answerAlone(repository, entry, run, budget));
  return { resourceType: 'Bundle', type: 'batch-response', entry: answers };
}

async function answerAlone(
  repository: CareRepository,
  entry: BundleEntry,
  run: RunEntry,
  budget: RequestBudget,
): Promise<BundleEntry> {
  try {
    budget.refuseIfSpent();
    refuseDangling(entry);
    return await run(repository, entry);
  } catch (error) {
    const { status, outcome } = outcomeOfError(error);
    return { response: { status: String(status), outcome } };
  }
}
