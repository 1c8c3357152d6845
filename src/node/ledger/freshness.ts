import { AppError } from '../../shared/index.ts';

/** Whether this node's copy of the ledger is new enough to answer from: consents may have been revoked since. */
export interface Freshness {
  /** Resolves when the head is no older than the limit; throws `behind` when the consortium does not confirm that. */
  ensure(): Promise<void>;
  /** A block came in just now. */
  committed(): void;
  /** Age of what is known, in milliseconds. */
  ageMs(): number;
}

interface Deps {
  nowMs: () => number;
  /** A clock that nobody sets. */
  elapsedMs: () => number;
  /** Time of the newest block that this node has. */
  headTimeMs: () => number;
  maxAgeMs: number;
  waitMs: number;
  /** Has the consortium confirm something of this node's: what it confirms stands on the newest block there is. */
  confirm: () => Promise<void>;
  /** What is known about being behind, for the message: `12 blocks behind`. */
  lag: () => Promise<string>;
}

/**
 * A consortium that is idle makes no blocks, so an old head may be the newest one, or this node may be cut off. Only a
 * transaction of its own that comes back tells: it is sent when somebody wants to read and the last one is too old.
 */
export function createFreshness(deps: Deps): Freshness {
  const { nowMs, elapsedMs, headTimeMs, maxAgeMs, waitMs, confirm, lag } = deps;
  let confirmedMs = Number.NEGATIVE_INFINITY;
  let committedMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    const startedMs = elapsedMs();
    await confirm();
    // What was confirmed is at least as new as the question.
    confirmedMs = Math.max(confirmedMs, startedMs);
  };
  // A block may be old when it comes, and a clock that is minutes behind makes every block look new: the older view counts.
  const headAgeMs = (): number => Math.max(nowMs() - headTimeMs(), elapsedMs() - committedMs);
  const ageMs = (): number => Math.min(elapsedMs() - confirmedMs, headAgeMs());
  return {
    ageMs,
    committed() {
      committedMs = elapsedMs();
    },
    async ensure() {
      if (ageMs() <= maxAgeMs) return;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      const isConfirmed = await within(asking, waitMs);
      if (!isConfirmed) throw await behind(maxAgeMs, lag);
    },
  };
}

async function within(work: Promise<void>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  const isDone = await Promise.race([done, limit]);
  clearTimeout(timer);
  return isDone;
}

async function behind(maxAgeMs: number, lag: () => Promise<string>): Promise<AppError> {
  const known = await lag().catch(() => 'its consensus engine does not answer');
  return new AppError(
    'behind',
    `This node cannot tell that its copy of the ledger is less than ${maxAgeMs / 1000} s old (${known}), and a consent may have been revoked since. Nothing is read until it can. Ask again, or ask another node.`,
  );
}
