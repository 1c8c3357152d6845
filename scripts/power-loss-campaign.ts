import { seededRandom } from '../src/engine/power-loss-storage.ts';
import { cutPower } from '../src/engine/simulated-engine.ts';
import type { CampaignOptions } from './crash-campaign.ts';

export type PowerLossReport = {
  readonly cuts: number;
  readonly acknowledged: number;
  readonly failures: readonly string[];
};

const MAX_OPERATIONS = 120;
const PROGRESS_EVERY = 20;

/** Cuts the power of a simulated disk at random operations: unsynced writes are kept, torn or dropped. */
export async function runPowerLossCampaign(options: CampaignOptions): Promise<PowerLossReport> {
  const random = seededRandom(options.seed);
  const failures: string[] = [];
  let acknowledged = 0;
  for (let run = 1; run <= options.runs; run++) {
    const operations = 1 + Math.floor(random() * MAX_OPERATIONS);
    const outcome = await cutPower(operations, Math.floor(random() * 2 ** 32));
    acknowledged += outcome.acknowledged;
    failures.push(
      ...outcome.problems.map((problem) => `power cut ${run}, at operation ${operations}: ${problem}`),
    );
    if (run % PROGRESS_EVERY === 0 || run === options.runs)
      options.progress(`power cut ${run}/${options.runs}: ${failures.length} problems`);
  }
  return { cuts: options.runs, acknowledged, failures };
}
