import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRetainedBlocks, MIN_RETAINED_BLOCKS, retainHeightOf } from './retain-height.ts';

const at = (consensusHeight: number, recordedConsensusHeight: number, blocks?: number): number =>
  retainHeightOf({ consensusHeight, recordedConsensusHeight }, blocks);

test('all blocks are kept unless fewer are asked for', () => {
  assert.equal(at(5_000_000, 5_000_000), 0);
  assert.equal(at(500, 500, 1000), 0);
  assert.equal(at(1500, 1500, 1000), 501);
});

test('a block that a restart needs is kept, however old it is', () => {
  assert.equal(at(5000, 100, 1000), 100);
  assert.equal(at(5000, 0, 1000), 0);
});

test('fewer blocks than proofs of misbehaviour need are refused', () => {
  checkRetainedBlocks(undefined);
  checkRetainedBlocks(MIN_RETAINED_BLOCKS);
  for (const blocks of [MIN_RETAINED_BLOCKS - 1, 0, -1, Number.NaN, 1e6 + 0.5])
    assert.throws(() => checkRetainedBlocks(blocks), /have to be kept/);
});
