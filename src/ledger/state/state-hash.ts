import { sha256 } from '../../shared/index.ts';

/** Other prefixes than the history log's 0x00 and 0x01, so that no hash of one tree means anything in the other. */
const LEAF_PREFIX = 0x02;
const NODE_PREFIX = 0x03;
export const HASH_BYTES = 32;
export const EMPTY_STATE_ROOT = new Uint8Array(HASH_BYTES);

const input = new Uint8Array(1 + 2 * HASH_BYTES);

export function stateLeafHash(key: Uint8Array, valueHash: Uint8Array): Uint8Array {
  input[0] = LEAF_PREFIX;
  input.set(key, 1);
  input.set(valueHash, 1 + HASH_BYTES);
  return sha256(input);
}

export function stateNodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  input[0] = NODE_PREFIX;
  input.set(left, 1);
  input.set(right, 1 + HASH_BYTES);
  return sha256(input);
}

/** The same for two hashes that lie in one store; copies byte by byte, which is cheaper than making two views. */
export function stateNodeHashAt(store: Uint8Array, leftOffset: number, rightOffset: number): Uint8Array {
  input[0] = NODE_PREFIX;
  for (let index = 0; index < HASH_BYTES; index += 1) {
    input[1 + index] = store[leftOffset + index] as number;
    input[1 + HASH_BYTES + index] = store[rightOffset + index] as number;
  }
  return sha256(input);
}

/** Bit `depth` of a key, the most significant first: 0 goes left, 1 goes right. */
export function bitAt(key: Uint8Array, depth: number): number {
  return ((key[depth >> 3] as number) >> (7 - (depth & 7))) & 1;
}
