import { AppError } from '../../shared/index.ts';

/** Runs what it is given, now or in its turn. */
export type Limited = <Answer>(ask: () => Promise<Answer>) => Promise<Answer>;

/** At most `running` at once, and at most `waiting` until one of them ends; one more is refused with `busy`. */
export function limitAtOnce(limit: { running: number; waiting: number }): Limited {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (ask) => {
    if (running < limit.running) running += 1;
    else if (waiting.length < limit.waiting) await new Promise<void>((resolve) => waiting.push(resolve));
    else throw new AppError('busy', 'Too many others ask this at once. Ask again in a second.');
    try {
      return await ask();
    } finally {
      // Its place goes to the next, or to nobody.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
