import { assert } from '../assert.ts';
import { sha256 } from '../sha256.ts';

/** RFC 9162 section 2.1.1: leaves and nodes are hashed under different prefixes, so neither can pass for the other. */
const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;
const HASH_BYTES = 32;
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);

export const EMPTY_TREE_ROOT = sha256(new Uint8Array(0));

export function leafHash(data: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + data.length);
  input[0] = LEAF_PREFIX;
  input.set(data, 1);
  return sha256(input);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput[0] = NODE_PREFIX;
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/** The Merkle tree hash of leaves that are already hashed (RFC 9162 section 2.1.1). */
export function treeRoot(leafHashes: readonly Uint8Array[]): Uint8Array {
  if (leafHashes.length === 0) return EMPTY_TREE_ROOT;
  if (leafHashes.length === 1) return leafHashes[0] as Uint8Array;
  const split = largestPowerOfTwoBelow(leafHashes.length);
  return nodeHash(treeRoot(leafHashes.slice(0, split)), treeRoot(leafHashes.slice(split)));
}

/** The largest power of two that is smaller than `size` (RFC 9162: k < n <= 2k). */
export function largestPowerOfTwoBelow(size: number): number {
  assert(size > 1, 'a tree is only split when it has two leaves or more');
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}
