/** How far apart blocks are to be while more waits than one holds: the bound is a second, and machines have slower moments. */
const AIMED_INTERVAL_MS = 800;
/** Few enough for the slowest machine to decide on within a second; from here the limit finds its way up, block by block. */
const MIN_TRANSACTIONS = 64;
/** The pace of longer ago is that of another load. */
export const MAX_RECENT_BLOCKS = 8;

/** A block of the ledger: how much it held, and when the one before it was decided. */
export type RecentBlock = { readonly transactions: number; readonly timeMs: number };

/**
 * How many transactions the next block may hold: as many as pass in the aimed time at the pace of the last full one. A block costs every
 * validator about the same for each transaction, so larger blocks would only come later. A block that holds less than half of what it
 * could tells nothing about the pace, or one proposer of tiny blocks would slow those of all others. Where the chain rested after a
 * block, the pace looks slower than it is; blocks of the smallest size then come at short intervals, which raises the limit again.
 */
export function transactionsAtPace(recent: readonly RecentBlock[], nextTimeMs: number): number {
  let limit = MIN_TRANSACTIONS;
  for (const [index, { transactions, timeMs }] of recent.entries()) {
    if (transactions < limit / 2) continue;
    const intervalMs = Math.max(1, (recent[index + 1]?.timeMs ?? nextTimeMs) - timeMs);
    limit = Math.max(MIN_TRANSACTIONS, Math.floor((transactions * AIMED_INTERVAL_MS) / intervalMs));
  }
  return limit;
}
