import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../shared/index.ts';
import { createBatcher } from './batcher.ts';

test('items that arrive during a flush go out together in the next one, in order', async () => {
  const batches: number[][] = [];
  const batcher = createBatcher<number>({
    maxBatch: 3,
    maxWaiting: 100,
    flush: async (batch) => {
      batches.push(batch);
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
  await Promise.all([batcher.add([1]), batcher.add([2, 3, 4]), batcher.add([5])]);
  assert.deepEqual(batches, [
    [1, 2, 3],
    [4, 5],
  ]);
  await batcher.idle();
});

test('a failed flush refuses those whose items were in it, and only those', async () => {
  const batcher = createBatcher<number>({
    maxBatch: 1,
    maxWaiting: 100,
    flush: async ([item]) => {
      if (item === 1) throw new AppError('busy', 'no');
    },
  });
  const results = await Promise.allSettled([batcher.add([1]), batcher.add([2])]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['rejected', 'fulfilled'],
  );
});

test('a full queue refuses instead of growing', async () => {
  const batcher = createBatcher<number>({ maxBatch: 1, maxWaiting: 2, flush: async () => undefined });
  await assert.rejects(batcher.add([1, 2, 3]), { code: 'busy' });
});
