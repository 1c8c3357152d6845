import { createRequire } from 'node:module';
import { verifySignature } from '../identity/index.ts';

type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
type Sodium = { crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean };

/**
 * Signature verification by libsodium where its binary loads, twice as fast as OpenSSL; elsewhere by identity.
 * Both decide alike for keys that `parsePublicKey` accepted: libsodium refuses S ≥ L, compares R's encoding, and
 * refuses an R of small order, of which a key of prime order leaves only the identity.
 */
export function loadVerify(): Verify {
  const sodium = loadSodium();
  if (sodium === undefined) return verifySignature;
  return (publicKey, message, signature) =>
    publicKey.length === 32 && signature.length === 64 && sodium.crypto_sign_verify_detached(signature, message, publicKey);
}

function loadSodium(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    return undefined;
  }
}
