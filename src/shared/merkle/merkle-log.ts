import { assert } from '../assert.ts';
import { EMPTY_TREE_ROOT, largestPowerOfTwoBelow, nodeHash } from './tree.ts';

const HASH_BYTES = 32;
const FIRST_CAPACITY = 64;

/** The hashes of one level: those of complete subtrees of 2^level leaves, from the left. */
type Level = { hashes: Uint8Array; count: number };

/**
 * An append-only RFC 9162 tree that keeps the hash of every complete subtree (64 bytes a leaf in all), so that roots and
 * proofs of this and of every earlier size cost O(log n).
 */
export class MerkleLog {
  readonly #levels: Level[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Appends a leaf that is already hashed, and returns its index. */
  append(leafHash: Uint8Array): number {
    assert(leafHash.length === HASH_BYTES, 'a leaf hash has 32 bytes');
    const index = this.#size;
    this.#push(0, leafHash);
    this.#size += 1;
    let completed = index;
    for (let level = 0; completed % 2 === 1; level += 1) {
      completed = (completed - 1) / 2;
      this.#push(
        level + 1,
        nodeHash(this.#hashAt(level, completed * 2), this.#hashAt(level, completed * 2 + 1)),
      );
    }
    return index;
  }

  leaf(index: number): Uint8Array {
    assert(index >= 0 && index < this.#size, 'the leaf is in the tree');
    return this.#hashAt(0, index);
  }

  root(size: number = this.#size): Uint8Array {
    assert(size >= 0 && size <= this.#size, 'the tree has been that large');
    return size === 0 ? EMPTY_TREE_ROOT : this.#rangeRoot(0, size);
  }

  /** RFC 9162 section 2.1.3.1. */
  inclusionProof(index: number, size: number = this.#size): Uint8Array[] {
    assert(index >= 0 && index < size && size <= this.#size, 'the leaf is in the tree of that size');
    return this.#path(index, 0, size);
  }

  /** RFC 9162 section 2.1.4.1. */
  consistencyProof(oldSize: number, newSize: number = this.#size): Uint8Array[] {
    assert(oldSize >= 0 && oldSize <= newSize && newSize <= this.#size, 'the tree has been of both sizes');
    if (oldSize === 0 || oldSize === newSize) return [];
    return this.#subproof(oldSize, 0, newSize, true);
  }

  /** Forgets the leaves from `size` on, so that a block that could not be written leaves no trace. */
  truncate(size: number): void {
    assert(size >= 0 && size <= this.#size, 'a tree is only cut back');
    this.#size = size;
    let count = size;
    for (const level of this.#levels) {
      level.count = count;
      count = Math.floor(count / 2);
    }
  }

  #path(index: number, start: number, size: number): Uint8Array[] {
    if (size === 1) return [];
    const split = largestPowerOfTwoBelow(size);
    if (index < split)
      return [...this.#path(index, start, split), this.#rangeRoot(start + split, size - split)];
    return [...this.#path(index - split, start + split, size - split), this.#rangeRoot(start, split)];
  }

  #subproof(oldSize: number, start: number, size: number, isWhole: boolean): Uint8Array[] {
    if (oldSize === size) return isWhole ? [] : [this.#rangeRoot(start, size)];
    const split = largestPowerOfTwoBelow(size);
    if (oldSize <= split)
      return [
        ...this.#subproof(oldSize, start, split, isWhole),
        this.#rangeRoot(start + split, size - split),
      ];
    return [
      ...this.#subproof(oldSize - split, start + split, size - split, false),
      this.#rangeRoot(start, split),
    ];
  }

  /** The root over `size` leaves from `start`; `start` is a multiple of the power of two that covers `size`. */
  #rangeRoot(start: number, size: number): Uint8Array {
    const level = Math.log2(size);
    if (Number.isInteger(level)) return this.#hashAt(level, start / size);
    const split = largestPowerOfTwoBelow(size);
    return nodeHash(this.#rangeRoot(start, split), this.#rangeRoot(start + split, size - split));
  }

  #hashAt(level: number, index: number): Uint8Array {
    const { hashes, count } = this.#levels[level] as Level;
    assert(index < count, 'the subtree is complete');
    return hashes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }

  #push(levelIndex: number, hash: Uint8Array): void {
    if (this.#levels.length === levelIndex) {
      this.#levels.push({ hashes: new Uint8Array(FIRST_CAPACITY * HASH_BYTES), count: 0 });
    }
    const level = this.#levels[levelIndex] as Level;
    if ((level.count + 1) * HASH_BYTES > level.hashes.length) {
      const grown = new Uint8Array(level.hashes.length * 2);
      grown.set(level.hashes);
      level.hashes = grown;
    }
    level.hashes.set(hash, level.count * HASH_BYTES);
    level.count += 1;
  }
}
