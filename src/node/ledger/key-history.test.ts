import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_ROTATIONS } from '../../client/index.ts';
import { sha256, utf8 } from '../../shared/index.ts';
import { changesTo, type RecordedRotation } from './key-history.ts';

const keyOf = (name: number): Uint8Array => sha256(utf8(String(name)));

/** Changes to the keys of these names, one after the other. */
function changes(...names: number[]): RecordedRotation[] {
  return names.map((name, leafIndex) => ({ leafIndex, payload: new Uint8Array(), newKey: keyOf(name) }));
}

const places = (firstName: number, all: RecordedRotation[], held?: number): number[] | undefined =>
  changesTo(keyOf(firstName), all, held === undefined ? undefined : keyOf(held))?.map(
    ({ leafIndex }) => leafIndex,
  );

test('the changes that lead to a key are shown, and the one that replaced it', () => {
  const all = changes(1, 2, 3);
  assert.deepEqual(places(0, all), [0, 1, 2]);
  assert.deepEqual(places(0, all, 0), [0]);
  assert.deepEqual(places(0, all, 1), [0, 1]);
  assert.deepEqual(places(0, all, 3), [0, 1, 2]);
  assert.equal(places(0, all, 4), undefined);
  assert.deepEqual(places(0, [], 0), []);
});

test('however many changes come later, an earlier key is shown; and so is one that too many do not lead to', () => {
  const all = changes(...Array.from({ length: MAX_ROTATIONS + 9 }, (_, at) => at + 1));
  assert.equal(places(0, all), undefined);
  assert.deepEqual(places(0, all, 0), [0]);
  assert.equal(places(0, all, MAX_ROTATIONS)?.length, MAX_ROTATIONS + 1);
  assert.equal(places(0, all, MAX_ROTATIONS + 1), undefined);
});

test('what only led back to an earlier key is left out', () => {
  assert.deepEqual(places(0, changes(0, 0, 0, 1), 0), [3]);
  assert.deepEqual(places(0, changes(1, 0, 2, 1, 3)), [2, 3, 4]);
  assert.deepEqual(places(0, changes(1, 2, 3, 1, 4), 1), [0, 4]);
  const swung = Array.from({ length: 1_001 }, (_, at) => (at + 1) % 2);
  assert.deepEqual(places(0, changes(...swung)), [1_000]);
});
