const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;

/** Does again, at growing distances, what could not be done; nothing while nothing is left to do. */
export interface RetryTimer {
  /** Something is left to do: it is tried after a while. */
  due(): void;
  /** Tries now. What the attempt fails with is thrown, and it is tried again after a while. */
  now(): Promise<void>;
  /** No attempt begins any more; resolves when the one under way has ended. */
  stop(): Promise<void>;
}

/** `attempt` rejects while something is left to do. The distance doubles from one second to a minute, until one resolves. */
export function createRetryTimer(attempt: () => Promise<void>): RetryTimer {
  let delayMs = FIRST_DELAY_MS;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isDue = false;
  let isStopped = false;

  const schedule = (): void => {
    if (isStopped || timer !== undefined) return;
    timer = setTimeout(() => void now().catch(() => undefined), delayMs).unref();
  };
  const runOnce = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    isDue = false;
    try {
      await attempt();
      delayMs = FIRST_DELAY_MS;
    } catch (cause) {
      isDue = true;
      delayMs = Math.min(2 * delayMs, MAX_DELAY_MS);
      throw cause;
    } finally {
      running = undefined;
      if (isDue) schedule();
    }
  };
  const now = (): Promise<void> => {
    running ??= runOnce();
    return running;
  };
  return {
    due() {
      isDue = true;
      if (running === undefined) schedule();
    },
    now,
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running?.catch(() => undefined);
    },
  };
}
