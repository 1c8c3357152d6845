import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  leafHash,
  MerkleLog,
  nodeHash,
  toHex,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../index.ts';

const SIZES = 70;
/** The leaves and roots that certificate-transparency publishes for RFC 6962, which RFC 9162 hashes alike. */
const KNOWN_LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const KNOWN_ROOTS: Record<number, string> = {
  0: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  1: '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  2: 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  3: 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  8: '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
};

const leaves = Array.from({ length: SIZES }, (_, index) => leafHash(Uint8Array.of(index)));
const log = new MerkleLog();
for (const leaf of leaves) log.append(leaf);

test('roots are those that certificate transparency publishes', () => {
  const known = new MerkleLog();
  const roots = [toHex(known.root())];
  for (const leaf of KNOWN_LEAVES) {
    known.append(leafHash(Buffer.from(leaf, 'hex')));
    roots.push(toHex(known.root()));
  }
  for (const [size, root] of Object.entries(KNOWN_ROOTS)) assert.equal(roots[Number(size)], root);
});

test('the log has the root of the definition at every size', () => {
  for (let size = 0; size <= SIZES; size += 1)
    assert.deepEqual(log.root(size), treeRoot(leaves.slice(0, size)));
});

test('every inclusion proof verifies, and no other leaf, index, size or shorter path does', () => {
  for (let size = 1; size <= SIZES; size += 3) {
    for (let index = 0; index < size; index += 1) {
      const proof = log.inclusionProof(index, size);
      const leaf = leaves[index] as Uint8Array;
      const root = log.root(size);
      assert.ok(verifyInclusion(leaf, index, size, proof, root));
      assert.ok(!verifyInclusion(leaves[(index + 1) % SIZES] as Uint8Array, index, size, proof, root));
      if (size > 1) assert.ok(!verifyInclusion(leaf, (index + 1) % size, size, proof, root));
      assert.ok(!verifyInclusion(leaf, index, size, [...proof, root], root));
      if (proof.length > 0) assert.ok(!verifyInclusion(leaf, index, size, proof.slice(1), root));
    }
  }
});

test('every consistency proof verifies, and a rewritten past does not', () => {
  const other = new MerkleLog();
  for (const [index, leaf] of leaves.entries())
    other.append(index === 0 ? leafHash(Uint8Array.of(99)) : leaf);
  for (let oldSize = 0; oldSize <= SIZES; oldSize += 1) {
    for (let newSize = oldSize; newSize <= SIZES; newSize += 5) {
      const proof = log.consistencyProof(oldSize, newSize);
      assert.ok(verifyConsistency(oldSize, newSize, proof, log.root(oldSize), log.root(newSize)));
      if (oldSize === 0 || oldSize === newSize) continue;
      assert.ok(!verifyConsistency(oldSize, newSize, proof, other.root(oldSize), log.root(newSize)));
      assert.ok(!verifyConsistency(oldSize, newSize, proof, log.root(oldSize), other.root(newSize)));
      assert.ok(!verifyConsistency(oldSize, newSize, [], log.root(oldSize), log.root(newSize)));
    }
  }
});

test('every flipped bit of a proof is refused', () => {
  const proof = log.inclusionProof(21);
  for (const [which, hash] of proof.entries()) {
    for (let bit = 0; bit < 256; bit += 1) {
      const mutated = hash.slice();
      mutated[bit >> 3] = (mutated[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.ok(
        !verifyInclusion(leaves[21] as Uint8Array, 21, SIZES, proof.with(which, mutated), log.root()),
      );
    }
  }
});

test('a leaf cannot pass for a node', () => {
  const [left, right] = [leaves[0] as Uint8Array, leaves[1] as Uint8Array];
  assert.notDeepEqual(leafHash(Buffer.concat([left, right])), nodeHash(left, right));
});

test('cutting back and appending again gives the same tree', () => {
  const cut = new MerkleLog();
  for (const leaf of leaves) cut.append(leaf);
  cut.truncate(33);
  assert.deepEqual(cut.root(), log.root(33));
  for (const leaf of leaves.slice(33)) cut.append(leaf);
  assert.deepEqual(cut.root(), log.root());
});
