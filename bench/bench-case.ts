/** One measured line of the benchmark: ours and the peer's in `unit`, both medians of the same run. */
export type BenchCase = {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  /** ours ÷ peer; for a cost (lower is better) peer ÷ ours, so that a larger ratio is always better. */
  readonly ratio: number;
  /** The smallest ratio that meets the goal. */
  readonly goal: number;
  readonly met: boolean;
};

export type BenchOptions = {
  readonly seconds: number;
  readonly rounds: number;
  readonly seed: number;
  /** How much is to be held, where a benchmark asks for it; its own default when absent. */
  readonly size?: number;
  /** The size that the goal names, however long it takes. */
  readonly full?: boolean;
  readonly progress: (line: string) => void;
};

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) throw new RangeError('The median of nothing is not defined.');
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** A case where more is better, such as requests per second. */
export function rateCase(
  name: string,
  unit: string,
  ours: readonly number[],
  peer: readonly number[],
  goal: number,
): BenchCase {
  return finishCase(name, unit, median(ours), median(peer), median(ours) / median(peer), goal);
}

/** A case where less is better, such as milliseconds or megabytes; `peer` may be a fixed allowance. */
export function costCase(
  name: string,
  unit: string,
  ours: readonly number[],
  peer: readonly number[],
  goal: number,
): BenchCase {
  return finishCase(name, unit, median(ours), median(peer), median(peer) / median(ours), goal);
}

function finishCase(
  name: string,
  unit: string,
  ours: number,
  peer: number,
  ratio: number,
  goal: number,
): BenchCase {
  return { name, unit, ours, peer, ratio, goal, met: ratio >= goal };
}
