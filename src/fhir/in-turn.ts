import { setImmediate as others } from 'node:timers/promises';

const AT_ONCE = 16;

/** Does work on many records a few at a time: not all of them are in memory at once, and other requests have their turn. */
export async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    if (at > 0) await others();
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  }
  return results;
}
