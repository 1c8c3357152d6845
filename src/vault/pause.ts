const WORK_MS = 20;

/** Lets others have their turn. */
export type Pause = () => Promise<void>;

/**
 * For a long walk that has each next piece at hand: none of its promises waits for anything, so the whole process would stand
 * still. To be awaited at every step; it gives way when 20 ms were worked.
 */
export function createPause(nowMs: () => number = () => performance.now()): Pause {
  let sinceMs = nowMs();
  return async () => {
    if (nowMs() - sinceMs < WORK_MS) return;
    await new Promise((resume) => setImmediate(resume));
    sinceMs = nowMs();
  };
}
