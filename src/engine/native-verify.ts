import { createRequire } from 'node:module';
import { isWellFormedSignature, verifySignature } from '../identity/index.ts';

type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
type Sodium = {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
};

/**
 * Signature verification by libsodium where its binary loads, twice as fast as OpenSSL; elsewhere by identity.
 * Both decide alike for keys that `parsePublicKey` accepted: `isWellFormedSignature` is applied to both, both compare
 * R's encoding, and an R of small order, which libsodium refuses too, cannot verify under a key of prime order unless it
 * is the identity.
 */
function loadVerify(): Verify {
  const sodium = loadSodium();
  if (sodium === undefined) return verifySignature;
  return (publicKey, message, signature) =>
    isWellFormedSignature(signature) && sodium.crypto_sign_verify_detached(signature, message, publicKey);
}

/** Whether a signature is valid; loaded once a thread. */
export const verifyNatively: Verify = loadVerify();

function loadSodium(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    return undefined;
  }
}
