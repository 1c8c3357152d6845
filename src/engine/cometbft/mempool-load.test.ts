import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MempoolLoad } from './mempool-load.ts';

const MEBIBYTE = 1024 * 1024;

function withWaiting(signers: number, each: number, length: number): MempoolLoad {
  const load = new MempoolLoad();
  for (let at = 0; at < signers * each; at++) load.add(`signer ${at % signers}`, length);
  return load;
}

test('one signer has at most 256 transactions and 2 MiB waiting, urgent or not', () => {
  for (const isUrgent of [false, true]) {
    assert.equal(withWaiting(1, 255, 10).hasRoomFor('signer 0', 10, isUrgent), true);
    assert.equal(withWaiting(1, 256, 10).hasRoomFor('signer 0', 10, isUrgent), false);
    assert.equal(withWaiting(1, 256, 10).hasRoomFor('another', 10, isUrgent), true);
    const half = withWaiting(1, 1, MEBIBYTE);
    assert.equal(half.hasRoomFor('signer 0', MEBIBYTE, isUrgent), true);
    assert.equal(half.hasRoomFor('signer 0', MEBIBYTE + 1, isUrgent), false);
  }
});

test('the last quarter of the transactions and of the bytes is left to what is urgent', () => {
  const byCount = withWaiting(30, 250, 10);
  const byBytes = withWaiting(6, 2, MEBIBYTE);
  for (const load of [byCount, byBytes]) {
    assert.equal(load.hasRoomFor('another', 10, false), false);
    assert.equal(load.hasRoomFor('another', 10, true), true);
  }
  assert.equal(withWaiting(30, 249, 10).hasRoomFor('another', 10, false), true);
});

test('nothing is taken beyond what the mempool holds', () => {
  assert.equal(withWaiting(40, 250, 10).hasRoomFor('another', 10, true), false);
  assert.equal(withWaiting(8, 2, MEBIBYTE).hasRoomFor('another', 10, true), false);
});
