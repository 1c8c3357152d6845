import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_RECENT_BLOCKS, type RecentBlock, workAtPace } from './proposal-pace.ts';

type Machines = {
  blocks: number;
  blockMs: number;
  transactionMs: number;
  isTiny?: (block: number) => boolean;
};
type Interval = { work: number; intervalMs: number };

/** Blocks as validators decide on them that need some time for each block and some for each transaction. */
function intervalsOf({ blocks, blockMs, transactionMs, isTiny = () => false }: Machines): Interval[] {
  let recent: RecentBlock[] = [];
  let timeMs = 0;
  return Array.from({ length: blocks }, (_, block) => {
    const work = isTiny(block) ? 1 : workAtPace(recent, timeMs);
    const intervalMs = blockMs + Math.round(work * transactionMs);
    recent = [...recent, { work, timeMs }].slice(-MAX_RECENT_BLOCKS);
    timeMs += intervalMs;
    return { work, intervalMs };
  });
}

describe('how much work a block may be', () => {
  test('comes to as many as pass within the aimed time, on fast machines and slow ones', () => {
    for (const transactionMs of [0.1, 0.5, 1.3, 4]) {
      const intervals = intervalsOf({ blocks: 30, blockMs: 250, transactionMs }).map((one) => one.intervalMs);
      assert(Math.max(...intervals) <= 1000, `blocks are ${Math.max(...intervals)} ms apart`);
      assert(Math.abs((intervals.at(-1) ?? 0) - 800) < 20, `the last were ${intervals.at(-1)} ms apart`);
    }
  });

  test('is never less than the smallest block, however long the chain rested', () => {
    assert.equal(workAtPace([], 0), 64);
    assert.equal(workAtPace([{ work: 5000, timeMs: 0 }], 86_400_000), 64);
    const slow = intervalsOf({ blocks: 20, blockMs: 250, transactionMs: 20 });
    assert(slow.every(({ intervalMs }) => intervalMs === 250 + 64 * 20));
  });

  test('does not fall when every fourth proposer, from the first block on, makes blocks of one transaction', () => {
    const isTiny = (block: number): boolean => block % 4 === 0;
    const blocks = intervalsOf({ blocks: 41, blockMs: 250, transactionMs: 0.5, isTiny }).slice(20);
    const full = blocks.filter(({ work }) => work > 1);
    assert(full.length > 12);
    assert(full.every(({ intervalMs }) => Math.abs(intervalMs - 800) < 20));
  });
});
