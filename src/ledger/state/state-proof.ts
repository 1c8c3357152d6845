import { equalBytes, sha256 } from '../../shared/index.ts';
import { bitAt, EMPTY_STATE_ROOT, HASH_BYTES, stateLeafHash, stateNodeHash } from './state-hash.ts';

const MAX_DEPTH = 256;

/** `siblings` from the root down; `otherLeaf` is what stands where an absent key would be, when that place is not empty. */
export type StateProof = {
  readonly siblings: readonly Uint8Array[];
  readonly otherLeaf: { readonly key: Uint8Array; readonly valueHash: Uint8Array } | null;
};

/** Whether `key` has exactly `value` under `root`; undefined proves that the key is absent. */
export function verifyStateProof(
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | undefined,
  proof: StateProof,
): boolean {
  if (!isWellFormed(key, proof)) return false;
  const start = value === undefined ? absentHash(key, proof) : presentHash(key, value, proof);
  return start !== undefined && equalBytes(climb(key, start, proof.siblings), root);
}

function presentHash(key: Uint8Array, value: Uint8Array, proof: StateProof): Uint8Array | undefined {
  return proof.otherLeaf === null ? stateLeafHash(key, sha256(value)) : undefined;
}

/** The other leaf must lie on the absent key's own path, or it says nothing about that key. */
function absentHash(key: Uint8Array, proof: StateProof): Uint8Array | undefined {
  if (proof.otherLeaf === null) return EMPTY_STATE_ROOT;
  const other = proof.otherLeaf;
  if (equalBytes(other.key, key)) return undefined;
  for (let depth = 0; depth < proof.siblings.length; depth += 1)
    if (bitAt(other.key, depth) !== bitAt(key, depth)) return undefined;
  return stateLeafHash(other.key, other.valueHash);
}

function climb(key: Uint8Array, start: Uint8Array, siblings: readonly Uint8Array[]): Uint8Array {
  let hash = start;
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = siblings[depth] as Uint8Array;
    hash = bitAt(key, depth) === 0 ? stateNodeHash(hash, sibling) : stateNodeHash(sibling, hash);
  }
  return hash;
}

function isWellFormed(key: Uint8Array, proof: StateProof): boolean {
  const { otherLeaf } = proof;
  if (key.length !== HASH_BYTES || proof.siblings.length > MAX_DEPTH) return false;
  if (!proof.siblings.every((sibling) => sibling.length === HASH_BYTES)) return false;
  return (
    otherLeaf === null || (otherLeaf.key.length === HASH_BYTES && otherLeaf.valueHash.length === HASH_BYTES)
  );
}
