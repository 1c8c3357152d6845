import type { Random } from '../../src/engine/power-loss-storage.ts';
import { seededRandom } from '../../src/engine/power-loss-storage.ts';

/** Four validators of one power each: consensus is safe and moves while one of them is faulty (n = 3f + 1). */
export const VALIDATORS = 4;
export const MAX_FAULTY = Math.floor((VALIDATORS - 1) / 3);

/** Faults of one validator: the others go on. */
const EVERYDAY = [
  'kill-application',
  'kill-consensus',
  'kill-both',
  'pause-application',
  'pause-consensus',
  'pause-both',
  'disconnect',
  'isolate',
  'slow-links',
] as const;
/** Faults of one validator's disk, software or keys. */
const DEEP = ['wipe', 'diverge', 'stale-key'] as const;
/** One validator more than may be faulty is away: the chain has to halt, and to go on afterwards. */
const HALTING = ['partition-halves', 'two-away'] as const;

export type FaultKind = (typeof EVERYDAY)[number] | (typeof DEEP)[number] | (typeof HALTING)[number];
export const FAULT_KINDS: readonly FaultKind[] = [...EVERYDAY, ...DEEP, ...HALTING];

export type Step = {
  readonly kind: FaultKind;
  /** Places of the validators that are faulty. */
  readonly victims: readonly number[];
  readonly holdMs: number;
  /** Delay on each link of the victim, where links are slow; where it is killed twice, it sets the time of the second. */
  readonly delayMs: number;
  /** The harder form of the fault: links break, not swallow; a kill comes twice, or while a node joins again; two are killed, not paused; a node with a stale key state runs beside the one it was copied from. */
  readonly isHard: boolean;
};

const EVERYDAY_STEPS = 3;
const MIN_HOLD_MS = 1_000;
const MAX_HOLD_MS = 3_500;
const MAX_DELAY_MS = 400;

/** What happens in a schedule follows from its seed alone; when the processes get to it does not. */
export function scheduleOf(seed: number): Step[] {
  const random = seededRandom(seed);
  const kinds = [
    ...shuffled(EVERYDAY, random).slice(0, EVERYDAY_STEPS),
    ...shuffled(DEEP, random).slice(0, 1),
    ...shuffled(HALTING, random).slice(0, 1),
  ];
  return shuffled(kinds, random).map((kind) => stepOf(kind, random));
}

/** Whether the chain has to halt while the fault lasts. */
export function isHalting({ victims }: Step): boolean {
  return victims.length > MAX_FAULTY;
}

function stepOf(kind: FaultKind, random: Random): Step {
  const order = shuffled([...Array(VALIDATORS).keys()], random);
  const isHalt = HALTING.some((one) => one === kind);
  return {
    kind,
    victims: order.slice(0, isHalt ? MAX_FAULTY + 1 : MAX_FAULTY),
    holdMs: MIN_HOLD_MS + Math.floor(random() * (MAX_HOLD_MS - MIN_HOLD_MS)),
    delayMs: 1 + Math.floor(random() * MAX_DELAY_MS),
    isHard: random() < 0.5,
  };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}
