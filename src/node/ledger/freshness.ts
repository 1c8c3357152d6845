import { AppError } from '../../shared/index.ts';

/** Whether this node's copy of the ledger is new enough to answer from: consents may have been revoked since. */
export interface Freshness {
  /** Resolves when the head is no older than the limit; throws `behind` when the consortium does not confirm that. */
  ensure(): Promise<void>;
}

interface Deps {
  /** A clock that nobody sets. */
  elapsedMs: () => number;
  maxAgeMs: number;
  waitMs: number;
  /** Has the consortium confirm something of this node's: what it confirms stands on the newest block there is. */
  confirm: () => Promise<void>;
  /** What is known about being behind, for the message: `12 blocks behind`. */
  lag: () => Promise<string>;
}

/**
 * A consortium that is idle makes no blocks, so an old head may be the newest one, or this node may be cut off; and a block that comes
 * just now may be an old one that is caught up with. Only a transaction of its own that comes back tells (docs/adr/0004). The
 * next is sent when half of the time is over and somebody reads, so that nobody has to wait while reads go on.
 */
export function createFreshness({ elapsedMs, maxAgeMs, waitMs, confirm, lag }: Deps): Freshness {
  let confirmedMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    const startedMs = elapsedMs();
    await confirm();
    // What was confirmed is at least as new as the question; the answer may have been long on its way.
    confirmedMs = startedMs;
  };
  const isWithin = (limitMs: number): boolean => elapsedMs() - confirmedMs <= limitMs;
  return {
    async ensure() {
      if (isWithin(maxAgeMs / 2)) return;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      asking.catch(() => undefined);
      if (isWithin(maxAgeMs)) return;
      await within(asking, waitMs);
      if (!isWithin(maxAgeMs)) throw await behind(maxAgeMs, lag);
    },
  };
}

/** Resolves when the work has ended, however it did, or the time is over. */
async function within(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work.catch(() => undefined), limit]);
  clearTimeout(timer);
}

async function behind(maxAgeMs: number, lag: () => Promise<string>): Promise<AppError> {
  const known = await lag().catch(() => 'its consensus engine does not answer');
  return new AppError(
    'behind',
    `This node cannot tell that its copy of the ledger is less than ${maxAgeMs / 1000} s old (${known}), and a consent may have been revoked since. Nothing is read until it can. Ask again, or ask another node.`,
  );
}
