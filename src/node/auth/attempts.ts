import { AppError, ERROR_TABLE } from '../../shared/index.ts';
import { limitAtOnce } from '../concurrency/limit-at-once.ts';
import { createFailureLimit } from './failure-limit.ts';

/** Checks at once, of all who are within their limit; the others have theirs one after the other. */
const CHECKS_AT_ONCE = 4;
const MAX_WAITING = 10_000;

/**
 * Attempts to prove something, from origins that may be shared: behind one address there can be a whole hospital. So nobody is
 * kept from trying, and what is valid passes whatever others did.
 */
export interface Attempts {
  /** Counts a refusal against its origin; beyond the limit it is told as `too-many-requests`. */
  counted<T>(origin: string, attempt: () => Promise<T>): Promise<T>;
  /** Runs a check that costs time. The checks of an origin beyond its limit take one another's time and nobody else's. */
  inTurn<T>(origin: string, check: () => Promise<T>): Promise<T>;
}

/** `limit`: refusals an origin may have within `windowMs`. */
export function createAttempts(options: { limit: number; windowMs: number; nowMs: () => number }): Attempts {
  const failures = createFailureLimit(options);
  const ordinary = limitAtOnce({ running: CHECKS_AT_ONCE, waiting: MAX_WAITING });
  const beyondLimit = limitAtOnce({ running: 1, waiting: MAX_WAITING });
  return {
    async counted(origin, attempt) {
      try {
        return await attempt();
      } catch (cause) {
        if (!isRefusal(cause)) throw cause;
        if (failures.count(origin)) throw cause;
        throw new AppError(
          'too-many-requests',
          `Too many attempts from here were refused within a minute, and this one too. ${cause.message}`,
          { cause },
        );
      }
    },
    inTurn: (origin, check) => (failures.isBeyond(origin) ? beyondLimit(check) : ordinary(check)),
  };
}

/** A node that is busy, or whose disk is full, says nothing about who asked. */
function isRefusal(cause: unknown): cause is AppError {
  return cause instanceof AppError && ERROR_TABLE[cause.code].httpStatus < 500;
}
