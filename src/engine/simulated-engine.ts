import { SyncFailedError } from './block-log.ts';
import { embeddedRules, runEngine } from './embedded-engine.ts';
import type { Committed, Engine } from './engine.ts';
import { openLedger } from './open-ledger.ts';
import { PowerLoss, type PowerLossStorage, powerLossStorage, seededRandom } from './power-loss-storage.ts';
import { enrolment, SAMPLE_TIME_MS, type SampleChain, sampleChain, sampleSigner } from './sample-chain.ts';
import { memoryValues } from './state-values.ts';

/** An engine on a simulated disk, with its values in memory and no other threads. For tests and campaigns. */
export async function openSimulatedEngine(storage: PowerLossStorage, chain: SampleChain): Promise<Engine> {
  const rules = embeddedRules(chain.genesis, chain.operatorSeed);
  const opened = await openLedger(storage, rules, () => ({ values: memoryValues(), snapshot: undefined }));
  return runEngine(opened, rules, { now: () => SAMPLE_TIME_MS, verifyWorkers: 0 });
}

/** Loads an engine until the power goes at the given operation, restarts it, and says what of the acknowledged is not there. */
export async function cutPower(
  lossAfter: number,
  seed: number,
): Promise<{ acknowledged: number; problems: string[] }> {
  const chain = sampleChain();
  const storage = powerLossStorage();
  storage.losePowerAfter(lossAfter);
  const acknowledged = await submitUntilLoss(storage, chain);
  const engine = await openSimulatedEngine(storage.afterPowerLoss(seededRandom(seed)), chain);
  const problems: string[] = [];
  for (const one of acknowledged) {
    const found = await engine.transaction(one.transactionId);
    if (answerOf(found) !== answerOf(one))
      problems.push(`acknowledged as "${answerOf(one)}", found as "${answerOf(found)}"`);
  }
  return { acknowledged: acknowledged.length, problems };
}

function answerOf(one: Committed | undefined): string {
  return one === undefined ? 'missing' : `${one.height} ${one.index} ${one.code} ${one.leafIndex}`;
}

async function submitUntilLoss(storage: PowerLossStorage, chain: SampleChain): Promise<Committed[]> {
  const acknowledged: Committed[] = [];
  const engine = await openUnlessLost(storage, chain);
  if (engine === undefined) return acknowledged;
  for (let round = 0; ; round++) {
    const group = Array.from({ length: 1 + (round % 3) }, (_, at) =>
      enrolment(chain, sampleSigner(1, `patient ${round} ${at}`)),
    );
    const outcomes = await Promise.allSettled(group.map((bytes) => engine.submit(bytes)));
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') acknowledged.push(outcome.value);
      else if (!isPowerLoss(outcome.reason)) throw outcome.reason;
    }
    if (outcomes.some(({ status }) => status === 'rejected')) return acknowledged;
  }
}

async function openUnlessLost(storage: PowerLossStorage, chain: SampleChain): Promise<Engine | undefined> {
  try {
    return await openSimulatedEngine(storage, chain);
  } catch (error) {
    if (isPowerLoss(error)) return undefined;
    throw error;
  }
}

/** The loss itself, what the engine made of it, or a refusal that follows from an earlier one. */
function isPowerLoss(error: unknown): boolean {
  if (error instanceof PowerLoss || error instanceof SyncFailedError) return true;
  return error instanceof Error && error.cause instanceof PowerLoss;
}
