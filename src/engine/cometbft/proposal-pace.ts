import { MAX_PARTS } from '../../ledger/index.ts';
import { partsIn } from './header-bytes.ts';

/** How far apart blocks are to be while more waits than one holds: the bound is a second, and machines have slower moments. */
const AIMED_INTERVAL_MS = 800;
/** Few enough for the slowest machine to decide on within a second; from here the limit finds its way up, block by block. */
const MIN_WORK = 64;
/** The pace of longer ago is that of another load. */
export const MAX_RECENT_BLOCKS = 8;
/** So many parts take a validator about as much processor time as an ordinary transaction: some 0.015 ms each, and 0.45 ms. */
const PARTS_LIKE_A_TRANSACTION = 32;

/** A block of the ledger: how much work it was, and when the one before it was decided. */
export type RecentBlock = { readonly work: number; readonly timeMs: number };

/** What a transaction costs every validator, measured in ordinary ones: told by the number of its parts. */
export function workOf(transaction: Uint8Array): number {
  return 1 + Math.floor(Math.min(partsIn(transaction), MAX_PARTS) / PARTS_LIKE_A_TRANSACTION);
}

/**
 * How much work the next block may be: as much as passes in the aimed time at the pace of the last full one. A block costs every
 * validator about the same for each piece of work, so larger blocks would only come later. A block that was less than half of what it
 * could be tells nothing about the pace, or one proposer of tiny blocks would slow those of all others. Where the chain rested after a
 * block, the pace looks slower than it is; blocks of the smallest size then come at short intervals, which raises the limit again.
 */
export function workAtPace(recent: readonly RecentBlock[], nextTimeMs: number): number {
  let limit = MIN_WORK;
  for (const [index, { work, timeMs }] of recent.entries()) {
    if (work < limit / 2) continue;
    const intervalMs = Math.max(1, (recent[index + 1]?.timeMs ?? nextTimeMs) - timeMs);
    limit = Math.max(MIN_WORK, Math.floor((work * AIMED_INTERVAL_MS) / intervalMs));
  }
  return limit;
}
