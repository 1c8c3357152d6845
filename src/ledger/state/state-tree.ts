import { assert, compareBytes, equalBytes, sha256 } from '../../shared/index.ts';
import { EMPTY_NODE, NodeArena } from './node-arena.ts';
import { bitAt, HASH_BYTES, stateLeafHash } from './state-hash.ts';
import type { StateReader, StateWrite } from './state-key.ts';
import type { StateProof } from './state-proof.ts';

/** A leaf to be placed: one that is in the tree already (`node`), or a new one. */
type Item = { readonly key: Uint8Array; readonly node: number | null; readonly valueHash: Uint8Array | null };

/** The next state, computed but not yet taken over. */
export type StagedState = { readonly root: Uint8Array; commit(): void; discard(): void };

/**
 * A sparse Merkle map: 32-byte keys to values, one root whatever the order of writes, with proofs that a key has a value or has none.
 * A subtree with a single leaf is that leaf. Holds keys and hashes; values stay with the caller.
 */
export class StateTree {
  readonly #arena = new NodeArena();
  #root = EMPTY_NODE;
  #isStaged = false;
  #created: number[] = [];
  #replaced: number[] = [];

  get root(): Uint8Array {
    return this.#arena.hash(this.#root).slice();
  }

  /** Computes the state after `writes` (each key once). Nothing changes before `commit`. */
  stage(writes: readonly StateWrite[]): StagedState {
    assert(!this.#isStaged, 'one state is staged at a time');
    this.#isStaged = true;
    const sorted = [...writes].sort((left, right) => compareBytes(left[0], right[0]));
    const next = this.#update(this.#root, 0, sorted.map(itemOf));
    return {
      root: this.#arena.hash(next).slice(),
      commit: () => this.#settle(next, this.#replaced),
      discard: () => this.#settle(this.#root, this.#created),
    };
  }

  /** Proof for a key that is present or absent; `values` gives the value of the leaf that stands in its place. */
  prove(key: Uint8Array, values: StateReader): StateProof {
    const siblings: Uint8Array[] = [];
    let node = this.#root;
    while (node !== EMPTY_NODE && !this.#arena.isLeaf(node)) {
      const goesRight = bitAt(key, siblings.length) === 1;
      const [next, sibling] = goesRight
        ? [this.#arena.right(node), this.#arena.left(node)]
        : [this.#arena.left(node), this.#arena.right(node)];
      siblings.push(this.#arena.hash(sibling).slice());
      node = next;
    }
    return { siblings, otherLeaf: this.#otherLeaf(node, key, values) };
  }

  /** Every key, in ascending order. */
  *keys(): Generator<Uint8Array> {
    yield* this.#keysBelow(this.#root);
  }

  #otherLeaf(node: number, key: Uint8Array, values: StateReader): StateProof['otherLeaf'] {
    if (node === EMPTY_NODE || equalBytes(this.#arena.key(node), key)) return null;
    const otherKey = this.#arena.key(node).slice();
    const value = values.get(otherKey);
    assert(value !== undefined, 'a key in the tree has a value');
    return { key: otherKey, valueHash: sha256(value) };
  }

  *#keysBelow(node: number): Generator<Uint8Array> {
    if (node === EMPTY_NODE) return;
    if (this.#arena.isLeaf(node)) {
      yield this.#arena.key(node).slice();
      return;
    }
    yield* this.#keysBelow(this.#arena.left(node));
    yield* this.#keysBelow(this.#arena.right(node));
  }

  #update(node: number, depth: number, items: readonly Item[]): number {
    if (items.length === 0) return node;
    if (node === EMPTY_NODE) return this.#build(depth, items.filter(isKept));
    if (this.#arena.isLeaf(node)) return this.#updateLeaf(node, depth, items);
    this.#replaced.push(node);
    const [lower, upper] = split(items, depth);
    const [left, right] = [this.#arena.left(node), this.#arena.right(node)];
    return this.#join(this.#update(left, depth + 1, lower), this.#update(right, depth + 1, upper));
  }

  #updateLeaf(leaf: number, depth: number, items: readonly Item[]): number {
    const key = this.#arena.key(leaf).slice();
    if (items.some((item) => equalBytes(item.key, key))) {
      this.#replaced.push(leaf);
      return this.#build(depth, items.filter(isKept));
    }
    const kept = [...items.filter(isKept), { key, node: leaf, valueHash: null }];
    return this.#build(
      depth,
      kept.sort((left, right) => compareBytes(left.key, right.key)),
    );
  }

  #build(depth: number, items: readonly Item[]): number {
    if (items.length === 0) return EMPTY_NODE;
    if (items.length === 1) return this.#place(items[0] as Item);
    const [lower, upper] = split(items, depth);
    return this.#join(this.#build(depth + 1, lower), this.#build(depth + 1, upper));
  }

  #place(item: Item): number {
    if (item.node !== null) return item.node;
    assert(
      item.valueHash !== null && item.key.length === HASH_BYTES,
      'a new leaf has a key of 32 bytes and a value',
    );
    return this.#remember(this.#arena.leaf(item.key, stateLeafHash(item.key, item.valueHash)));
  }

  #join(left: number, right: number): number {
    if (left === EMPTY_NODE && (right === EMPTY_NODE || this.#arena.isLeaf(right))) return right;
    if (right === EMPTY_NODE && this.#arena.isLeaf(left)) return left;
    return this.#remember(this.#arena.inner(left, right));
  }

  #remember(node: number): number {
    this.#created.push(node);
    return node;
  }

  #settle(root: number, dropped: readonly number[]): void {
    assert(this.#isStaged, 'a staged state is settled once');
    for (const node of dropped) this.#arena.free(node);
    this.#root = root;
    this.#created = [];
    this.#replaced = [];
    this.#isStaged = false;
  }
}

function itemOf([key, value]: StateWrite): Item {
  return { key, node: null, valueHash: value === undefined ? null : sha256(value) };
}

function isKept(item: Item): boolean {
  return item.node !== null || item.valueHash !== null;
}

/** Items are sorted by key, so those with a 0 at `depth` come first. */
function split(items: readonly Item[], depth: number): [readonly Item[], readonly Item[]] {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bitAt((items[middle] as Item).key, depth) === 0) low = middle + 1;
    else high = middle;
  }
  return [items.slice(0, low), items.slice(low)];
}
