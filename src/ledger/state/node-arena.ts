import { HASH_BYTES, stateNodeHashAt } from './state-hash.ts';

const FIRST_CAPACITY = 1024;
const IS_LEAF = -1;
/** The node that stands for an empty subtree; its hash is 32 zero bytes. */
export const EMPTY_NODE = 0;

/**
 * Tree nodes in typed arrays: 40 bytes each, and 32 more a leaf for its key.
 * Nodes are never changed once made; freed ones are used again.
 */
export class NodeArena {
  #hashes = new Uint8Array(FIRST_CAPACITY * HASH_BYTES);
  #left = new Int32Array(FIRST_CAPACITY);
  #right = new Int32Array(FIRST_CAPACITY);
  #used = 1;
  readonly #freeNodes: number[] = [];
  #keys = new Uint8Array(FIRST_CAPACITY * HASH_BYTES);
  #usedKeys = 0;
  readonly #freeKeys: number[] = [];

  leaf(key: Uint8Array, hash: Uint8Array): number {
    const slot = this.#freeKeys.pop() ?? this.#nextKeySlot();
    this.#keys.set(key, slot * HASH_BYTES);
    return this.#node(hash, IS_LEAF, slot);
  }

  inner(left: number, right: number): number {
    return this.#node(stateNodeHashAt(this.#hashes, left * HASH_BYTES, right * HASH_BYTES), left, right);
  }

  free(node: number): void {
    if (this.isLeaf(node)) this.#freeKeys.push(this.#right[node] as number);
    this.#freeNodes.push(node);
  }

  isLeaf(node: number): boolean {
    return this.#left[node] === IS_LEAF;
  }

  left(node: number): number {
    return this.#left[node] as number;
  }

  right(node: number): number {
    return this.#right[node] as number;
  }

  /** A view into the arena, valid until the next node is made. */
  hash(node: number): Uint8Array {
    return this.#hashes.subarray(node * HASH_BYTES, (node + 1) * HASH_BYTES);
  }

  /** A view into the arena, valid until the next leaf is made. */
  key(leaf: number): Uint8Array {
    const slot = this.#right[leaf] as number;
    return this.#keys.subarray(slot * HASH_BYTES, (slot + 1) * HASH_BYTES);
  }

  #node(hash: Uint8Array, left: number, right: number): number {
    const node = this.#freeNodes.pop() ?? this.#nextNode();
    this.#hashes.set(hash, node * HASH_BYTES);
    this.#left[node] = left;
    this.#right[node] = right;
    return node;
  }

  #nextNode(): number {
    if (this.#used === this.#left.length) {
      this.#hashes = grow(this.#hashes);
      this.#left = growInts(this.#left);
      this.#right = growInts(this.#right);
    }
    this.#used += 1;
    return this.#used - 1;
  }

  #nextKeySlot(): number {
    if (this.#usedKeys * HASH_BYTES === this.#keys.length) this.#keys = grow(this.#keys);
    this.#usedKeys += 1;
    return this.#usedKeys - 1;
  }
}

function grow(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

function growInts(ints: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(ints.length * 2);
  larger.set(ints);
  return larger;
}
