/** How far apart blocks are to be while more waits than one holds: the bound is a second, and machines have slower moments. */
const AIMED_INTERVAL_MS = 800;
/** Few enough for the slowest machine to decide on within a second; from here the limit finds its way up, block by block. */
const MIN_TRANSACTIONS = 64;

/** The last block of the ledger, and the time that the next one will have. */
export type LastBlock = {
  readonly transactions: number;
  readonly timeMs: number;
  readonly nextTimeMs: number;
};

/**
 * How many transactions the next block may hold: as many as pass in the aimed time at the pace of the last one. A block costs every
 * validator about the same for each transaction, so larger blocks would only come later. Where the chain rested in between, the pace
 * looks slower than it is; blocks of the smallest size then come at short intervals, which raises the limit again.
 */
export function transactionsAtPace({ transactions, timeMs, nextTimeMs }: LastBlock): number {
  const intervalMs = Math.max(1, nextTimeMs - timeMs);
  return Math.max(MIN_TRANSACTIONS, Math.floor((transactions * AIMED_INTERVAL_MS) / intervalMs));
}
