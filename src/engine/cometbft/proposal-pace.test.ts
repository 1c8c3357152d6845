import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { transactionsAtPace } from './proposal-pace.ts';

/** Blocks as validators decide on them that need some time for each block and some for each transaction. */
function intervalsOf(blocks: number, blockMs: number, transactionMs: number): number[] {
  let last = { transactions: 1, timeMs: 0, nextTimeMs: 3_600_000 };
  return Array.from({ length: blocks }, () => {
    const transactions = transactionsAtPace(last);
    const intervalMs = blockMs + Math.round(transactions * transactionMs);
    last = { transactions, timeMs: last.nextTimeMs, nextTimeMs: last.nextTimeMs + intervalMs };
    return intervalMs;
  });
}

describe('how many transactions a block may hold', () => {
  test('comes to as many as pass within the aimed time, on fast machines and slow ones', () => {
    for (const transactionMs of [0.1, 0.5, 1.3, 4]) {
      const intervals = intervalsOf(30, 250, transactionMs);
      assert(Math.max(...intervals) <= 1000, `blocks are ${Math.max(...intervals)} ms apart`);
      assert(Math.abs((intervals.at(-1) ?? 0) - 800) < 20, `the last were ${intervals.at(-1)} ms apart`);
    }
  });

  test('is never less than the smallest block, however long the chain rested', () => {
    assert.equal(transactionsAtPace({ transactions: 0, timeMs: 0, nextTimeMs: 0 }), 64);
    assert.equal(transactionsAtPace({ transactions: 5000, timeMs: 0, nextTimeMs: 86_400_000 }), 64);
    assert(intervalsOf(20, 250, 20).every((intervalMs) => intervalMs === 250 + 64 * 20));
  });
});
