import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256, toHex } from '../../shared/index.ts';
import { EMPTY_STATE_ROOT, StateTree, type StateWrite, verifyStateProof } from '../index.ts';
import { bitAt, stateLeafHash, stateNodeHash } from './state-hash.ts';

type Model = Map<string, Uint8Array>;
/** Few distinct first bytes, so that keys collide in their upper bits and the tree grows deep. */
const key = fc
  .tuple(fc.constantFrom(0, 1, 128), fc.constantFrom(0, 1, 64), fc.constantFrom(0, 1, 255))
  .map(([first, second, last]) => {
    const bytes = new Uint8Array(32);
    bytes[0] = first;
    bytes[1] = second;
    bytes[31] = last;
    return bytes;
  });
const write = fc.tuple(key, fc.option(fc.uint8Array({ minLength: 1, maxLength: 4 }), { nil: undefined }));
const block = fc.uniqueArray(write, { selector: ([name]) => toHex(name), maxLength: 12 });

function define(entries: readonly [string, Uint8Array][], depth: number): Uint8Array {
  if (entries.length === 0) return EMPTY_STATE_ROOT;
  const [first] = entries;
  if (entries.length === 1 && first !== undefined)
    return stateLeafHash(Buffer.from(first[0], 'hex'), sha256(first[1]));
  const side = (bit: number) => entries.filter(([name]) => bitAt(Buffer.from(name, 'hex'), depth) === bit);
  return stateNodeHash(define(side(0), depth + 1), define(side(1), depth + 1));
}

/** The definition of the root, and so of what an empty or single subtree is worth. */
function definedRoot(model: Model): Uint8Array {
  return define([...model], 0);
}

function applyTo(model: Model, writes: readonly StateWrite[]): void {
  for (const [name, value] of writes) {
    if (value === undefined) model.delete(toHex(name));
    else model.set(toHex(name), value);
  }
}

const readerOf = (model: Model) => ({ get: (name: Uint8Array) => model.get(toHex(name)) });

test('the root is that of the definition after every block, whatever is written and removed', () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 8 }), (blocks) => {
      const tree = new StateTree();
      const model: Model = new Map();
      for (const writes of blocks) {
        const staged = tree.stage(writes as StateWrite[]);
        staged.commit();
        applyTo(model, writes as StateWrite[]);
        assert.deepEqual(staged.root, tree.root);
        assert.deepEqual(tree.root, definedRoot(model));
        assert.deepEqual([...tree.keys()].map(toHex), [...model.keys()].sort());
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('a state that is discarded leaves no trace', () => {
  fc.assert(
    fc.property(block, block, (first, second) => {
      const tree = new StateTree();
      tree.stage(first as StateWrite[]).commit();
      const before = tree.root;
      tree.stage(second as StateWrite[]).discard();
      assert.deepEqual(tree.root, before);
      tree.stage(second as StateWrite[]).commit();
      const other = new StateTree();
      other.stage(first as StateWrite[]).commit();
      other.stage(second as StateWrite[]).commit();
      assert.deepEqual(tree.root, other.root);
    }),
    { seed: 2 },
  );
});

test('the order of writes does not matter', () => {
  fc.assert(
    fc.property(block, (writes) => {
      const [forward, backward] = [new StateTree(), new StateTree()];
      forward.stage(writes as StateWrite[]).commit();
      for (const one of [...writes].reverse()) backward.stage([one as StateWrite]).commit();
      assert.deepEqual(forward.root, backward.root);
    }),
    { seed: 3 },
  );
});

test('every key, there or not, has a proof that verifies for its value and for no other', () => {
  fc.assert(
    fc.property(block, key, (writes, asked) => {
      const tree = new StateTree();
      const model: Model = new Map();
      tree.stage(writes as StateWrite[]).commit();
      applyTo(model, writes as StateWrite[]);
      const proof = tree.prove(asked, readerOf(model));
      const value = model.get(toHex(asked));
      assert.ok(verifyStateProof(tree.root, asked, value, proof));
      assert.ok(!verifyStateProof(tree.root, asked, Uint8Array.of(9, 9, 9, 9, 9), proof));
      if (value !== undefined) assert.ok(!verifyStateProof(tree.root, asked, undefined, proof));
    }),
    { seed: 4, numRuns: 300 },
  );
});

test('every flipped byte of a proof is refused', () => {
  const tree = new StateTree();
  const model: Model = new Map();
  const writes: StateWrite[] = Array.from({ length: 40 }, (_, index) => [
    sha256(Uint8Array.of(index)),
    Uint8Array.of(index),
  ]);
  tree.stage(writes).commit();
  applyTo(model, writes);
  for (const asked of [sha256(Uint8Array.of(7)), sha256(Uint8Array.of(77))]) {
    const proof = tree.prove(asked, readerOf(model));
    const value = model.get(toHex(asked));
    for (const [which, sibling] of proof.siblings.entries()) {
      for (let place = 0; place < 32; place += 1) {
        const mutated = sibling.slice();
        mutated[place] = (mutated[place] as number) ^ 1;
        assert.ok(
          !verifyStateProof(tree.root, asked, value, {
            ...proof,
            siblings: proof.siblings.with(which, mutated),
          }),
        );
      }
    }
    if (proof.otherLeaf === null) continue;
    for (const field of ['key', 'valueHash'] as const) {
      const mutated = proof.otherLeaf[field].slice();
      mutated[31] = (mutated[31] as number) ^ 1;
      assert.ok(
        !verifyStateProof(tree.root, asked, value, {
          ...proof,
          otherLeaf: { ...proof.otherLeaf, [field]: mutated },
        }),
      );
    }
  }
});

test('the leaf of another path does not prove an absence', () => {
  const [left, right] = [new Uint8Array(32), new Uint8Array(32).fill(255)];
  const tree = new StateTree();
  const model: Model = new Map();
  const writes: StateWrite[] = [
    [left, Uint8Array.of(1)],
    [right, Uint8Array.of(2)],
  ];
  tree.stage(writes).commit();
  applyTo(model, writes);
  const otherLeaf = { key: right, valueHash: sha256(Uint8Array.of(2)) };
  const forged = { siblings: [stateLeafHash(right, otherLeaf.valueHash)], otherLeaf };
  const absent = new Uint8Array(32).fill(1);
  assert.ok(!verifyStateProof(tree.root, absent, undefined, forged));
});
