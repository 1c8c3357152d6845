import { availableParallelism, loadavg } from 'node:os';
import { seededRandom } from '../../src/engine/power-loss-storage.ts';
import { Agreement, finalProblems } from './agreement.ts';
import { startConsortium } from './consortium.ts';
import { FAULTS, type Scene } from './faults.ts';
import { Load } from './load.ts';
import { removeFolder, temporaryFolder } from './processes.ts';
import { isHalting, type Step, scheduleOf } from './schedule.ts';
import type { Validator } from './validator.ts';
import { comesToHold, sleep } from './waiting.ts';

/** After healing the chain moves within this time. */
const MOVE_LIMIT_MS = 10_000;
/** With more processes than this waiting for each core the time says nothing of the chain; then three times as long is allowed. */
const OVERLOAD = 4;
const OVERLOADED_LIMIT_MS = 30_000;
const GIVE_UP_MS = 60_000;
const CATCH_UP_MS = 90_000;
/** Several blocks would be decided in this time, if any were. */
const HALT_MS = 4_500;
const FIRST_BLOCK_MS = 60_000;

export type StepReport = {
  readonly kind: string;
  readonly victims: readonly number[];
  /** From the fault to the first acknowledgement, where the chain has to go on. */
  readonly movedDuringMs?: number;
  readonly movedAfterMs: number;
  /** From the mending until every node has the block of that acknowledgement. */
  readonly agreedAfterMs: number;
  /** The machine was busy with other work, so the limit was the longer one. */
  readonly wasOverloaded: boolean;
};
export type ScheduleReport = {
  readonly seed: number;
  readonly steps: readonly StepReport[];
  readonly acknowledged: number;
  readonly blocks: number;
  readonly problems: readonly string[];
};
type Options = {
  readonly binary: string;
  readonly seed: number;
  readonly keepFolders: boolean;
  readonly progress: (line: string) => void;
};

/** One consortium from its beginning to its end, with the faults that follow from the seed. */
export async function runSchedule(options: Options): Promise<ScheduleReport> {
  const { binary, seed, progress, keepFolders } = options;
  const folder = temporaryFolder();
  if (keepFolders) progress(`  folder ${folder}`);
  const problems: string[] = [];
  const steps: StepReport[] = [];
  const consortium = await startConsortium(binary, folder);
  const load = new Load(consortium.chain, consortium.validators, seededRandom(seed));
  const scene = { consortium, load };
  const agreement = new Agreement();
  let blocks = 0;
  try {
    await inTime('the first block', load.start(), FIRST_BLOCK_MS);
    for (const step of scheduleOf(seed)) {
      const found: string[] = [];
      steps.push(await runStep(scene, agreement, step, found));
      const report = steps.at(-1) as StepReport;
      progress(`  ${stepText(report)}${found.length > 0 ? `; ${found.length} PROBLEMS` : ''}`);
      problems.push(...found.map((problem) => `${step.kind} of ${step.victims.join(' and ')}: ${problem}`));
    }
    await inTime('an acknowledgement of everything that was submitted', load.settle(), GIVE_UP_MS);
    problems.push(...(await finalProblems(consortium.validators, load)));
    blocks = (await consortium.validators[0]?.head())?.height ?? 0;
  } catch (cause) {
    problems.push(cause instanceof Error ? cause.message : String(cause));
  } finally {
    load.giveUp();
    await consortium.close();
    if (!keepFolders) removeFolder(folder);
  }
  return { seed, steps, acknowledged: load.acknowledged.size, blocks, problems };
}

async function runStep(
  scene: Scene,
  agreement: Agreement,
  step: Step,
  problems: string[],
): Promise<StepReport> {
  const { kind, victims } = step;
  const { validators } = scene.consortium;
  const note = (problem: string | undefined): void => void (problem !== undefined && problems.push(problem));
  note(await FAULTS[kind].begin(scene, step));
  let movedDuringMs: number | undefined;
  if (isHalting(step)) problems.push(...(await whileHalted(scene, step)));
  else movedDuringMs = await moves(scene.load, 'while the fault lasted', problems);
  await sleep(step.holdMs);
  const mending = FAULTS[kind].end(scene, step);
  note(await mending);
  const mendedAtMs = performance.now();
  const movedAfterMs = await moves(scene.load, 'after it was mended', problems);
  await catchUp(validators);
  const agreedAfterMs = performance.now() - mendedAtMs;
  if (kind === 'wipe' || kind === 'diverge') for (const place of victims) agreement.forget(place);
  problems.push(...(await agreement.problems(validators)));
  const moved = movedDuringMs === undefined ? {} : { movedDuringMs };
  return { kind, victims, ...moved, movedAfterMs, agreedAfterMs, wasOverloaded: isOverloaded() };
}

async function moves(load: Load, when: string, problems: string[]): Promise<number> {
  const tookMs = await inTime(`a new block ${when}`, load.timeToMoveMs(), GIVE_UP_MS);
  const limitMs = isOverloaded() ? OVERLOADED_LIMIT_MS : MOVE_LIMIT_MS;
  if (tookMs > limitMs)
    problems.push(`the chain moved only after ${seconds(tookMs)} ${when}; ${seconds(limitMs)} are allowed`);
  return tookMs;
}

function isOverloaded(): boolean {
  return (loadavg()[0] ?? 0) > OVERLOAD * availableParallelism();
}

/**
 * Without a quorum no block is decided, but for one whose votes were on their way already: a vote to commit a block follows the
 * votes for it of three, so that one of those who are left had the block before. A node that is behind may still take over what
 * another has.
 */
async function whileHalted({ consortium }: Scene, { kind, victims }: Step): Promise<string[]> {
  const alive = consortium.validators.filter(
    ({ place }) => kind === 'partition-halves' || !victims.includes(place),
  );
  const before = await heights(alive);
  await sleep(HALT_MS);
  const after = await heights(alive);
  if (Math.max(...after) <= Math.max(...before) + 1) return [];
  const places = alive.map(({ place }) => place).join(', ');
  return [`without a quorum nodes ${places} went from blocks ${before.join(', ')} to ${after.join(', ')}`];
}

function heights(validators: readonly Validator[]): Promise<number[]> {
  return Promise.all(validators.map(async (one) => (await one.status()).height));
}

/** Waits until every node has what the one that is furthest has now. */
async function catchUp(validators: readonly Validator[]): Promise<void> {
  const heads = await Promise.allSettled(validators.map((one) => one.head()));
  const height = Math.max(...heads.map((head) => (head.status === 'fulfilled' ? head.value.height : 0)));
  const isThere = await comesToHold(async () => {
    const now = await Promise.all(validators.map((one) => one.head()));
    return now.every((head) => head.height >= height);
  }, CATCH_UP_MS);
  if (isThere) return;
  const texts = await Promise.all(validators.map(whereItIs));
  throw new Error(`not every node came to block ${height} in ${seconds(CATCH_UP_MS)}: ${texts.join('; ')}`);
}

async function whereItIs(validator: Validator): Promise<string> {
  const [head, status] = await Promise.allSettled([validator.head(), validator.status()]);
  const ledger = head.status === 'fulfilled' ? `at block ${head.value.height}` : 'does not answer';
  const consensus = status.status === 'fulfilled' ? `at ${status.value.height}` : 'does not answer';
  return `node ${validator.place} ${ledger}, its CometBFT ${consensus} (${validator.lastWords()})`;
}

async function inTime<T>(what: string, promise: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come in ${seconds(limitMs)}`)), limitMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function stepText(report: StepReport): string {
  const { kind, victims, movedDuringMs, movedAfterMs, agreedAfterMs, wasOverloaded } = report;
  const during = movedDuringMs === undefined ? 'halted' : `went on in ${seconds(movedDuringMs)}`;
  return `${kind} of ${victims.join(' and ')}: ${during}; mended: moved in ${seconds(movedAfterMs)}, all agreed in ${seconds(agreedAfterMs)}${wasOverloaded ? ' (machine overloaded)' : ''}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
