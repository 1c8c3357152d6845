import { assert, equalBytes, type MerkleLog, nodeHash } from '../../../shared/index.ts';

/** The leaves from `first` up to but not `end`. */
export type LeafRange = { readonly first: number; readonly end: number };

/**
 * The roots of the subtrees beside a range of leaves in the tree of `size` leaves, from the left. They are the left siblings of
 * its first leaf and the right siblings of its last, as RFC 9162 section 2.1.3.1 lists them.
 */
export function proveRange(history: MerkleLog, { first, end }: LeafRange, size: number): Uint8Array[] {
  assert(first < end && end <= size, 'the range is in the tree');
  const left = siblingsFromRoot(history, first, size).filter(({ isRight }) => !isRight);
  const right = siblingsFromRoot(history, end - 1, size).filter(({ isRight }) => isRight);
  return [...left, ...right.reverse()].map(({ hash }) => hash);
}

/** Whether these leaf hashes stand from `first` on in the tree of `size` leaves with that root. */
export function verifyRange(
  leafHashes: readonly Uint8Array[],
  first: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  const end = first + leafHashes.length;
  if (leafHashes.length === 0 || first < 0 || !Number.isSafeInteger(end) || end > size) return false;
  let used = 0;
  const fold = (start: number, count: number): Uint8Array | undefined => {
    if (start + count <= first || start >= end) return proof[used++];
    if (count === 1) return leafHashes[start - first];
    const split = largestPowerOfTwoBelow(count);
    const left = fold(start, split);
    const right = fold(start + split, count - split);
    return left === undefined || right === undefined ? undefined : nodeHash(left, right);
  };
  const computed = fold(0, size);
  return computed !== undefined && used === proof.length && equalBytes(computed, root);
}

function siblingsFromRoot(
  history: MerkleLog,
  index: number,
  size: number,
): { hash: Uint8Array; isRight: boolean }[] {
  const hashes = history.inclusionProof(index, size).reverse();
  let [at, count] = [index, size];
  return hashes.map((hash) => {
    const split = largestPowerOfTwoBelow(count);
    const isRight = at < split;
    [at, count] = isRight ? [at, split] : [at - split, count - split];
    return { hash, isRight };
  });
}

function largestPowerOfTwoBelow(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}
