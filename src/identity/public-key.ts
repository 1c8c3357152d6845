import { ed25519 } from '@noble/curves/ed25519.js';
import { concatBytes, err, ok, type Result, sha256, utf8 } from '../shared/index.ts';

/** A checked Ed25519 public key, 32 bytes. */
export type PublicKey = Uint8Array;
export type PublicKeyError = 'key-length' | 'key-not-a-point' | 'key-not-prime-order';

const KEY_BYTES = 32;
const ACCOUNT_DOMAIN = utf8('careledger/account/v1\0');

/**
 * Accepts the canonical encoding of a point of prime order. Keys with a small-order part are refused once, here, because
 * on them cofactored and cofactorless verification disagree, and a signature must be valid everywhere or nowhere.
 */
export function parsePublicKey(bytes: Uint8Array): Result<PublicKey, PublicKeyError> {
  if (bytes.length !== KEY_BYTES) return err('key-length');
  try {
    const point = ed25519.Point.fromBytes(bytes, false);
    if (point.is0() || !point.isTorsionFree()) return err('key-not-prime-order');
    return ok(bytes.slice());
  } catch {
    return err('key-not-a-point');
  }
}

/** The account of a party: named after its first key, and kept when the key is rotated. */
export function accountIdOf(publicKey: PublicKey): Uint8Array {
  return sha256(concatBytes(ACCOUNT_DOMAIN, publicKey));
}
