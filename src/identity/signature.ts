import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes, toHex } from '../shared/index.ts';
import type { PublicKey } from './public-key.ts';

const SIGNATURE_BYTES = 64;
const HALF = 32;
const MAX_CACHED_KEYS = 4096;
/** The order of the base point, little-endian (RFC 8032 section 5.1: S is refused unless S < L). */
const GROUP_ORDER = 0x1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3edn;
const IDENTITY_POINT = Uint8Array.from({ length: HALF }, (_, index) => (index === 0 ? 1 : 0));
/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);

/** PrivateKeyInfo of an Ed25519 seed up to the seed itself (RFC 8410 section 7). */
const PKCS8_PREFIX = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x04,
  0x22,
  0x04,
  0x20,
);

type KeyObject = object;
type NodeCrypto = {
  createPrivateKey(key: { key: Uint8Array; format: 'der'; type: 'pkcs8' }): KeyObject;
  sign(algorithm: null, message: Uint8Array, key: KeyObject): Uint8Array;
  createPublicKey(key: { key: Uint8Array; format: 'der'; type: 'spki' }): KeyObject;
  verify(algorithm: null, message: Uint8Array, key: KeyObject, signature: Uint8Array): boolean;
};
type NodeGlobal = { process?: { getBuiltinModule?: (id: string) => NodeCrypto | undefined } };

const nodeCrypto = (globalThis as NodeGlobal).process?.getBuiltinModule?.('node:crypto');
const keyObjects = new Map<string, KeyObject>();

/**
 * Whether a signature is valid: RFC 8032 without the cofactor, S below the group order, R canonical and not the identity.
 * The key must come from parsePublicKey. OpenSSL, libsodium and the portable code agree on every input under these rules.
 */
export function verifySignature(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isWellFormedSignature(signature)) return false;
  return nodeCrypto === undefined
    ? verifyPortably(publicKey, message, signature)
    : verifyWithNode(nodeCrypto, publicKey, message, signature);
}

/** The part of the rule that needs no curve arithmetic, for verifiers of other libraries to apply first. */
export function isWellFormedSignature(signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  if (equalBytes(signature.subarray(0, HALF), IDENTITY_POINT)) return false;
  return littleEndian(signature.subarray(HALF)) < GROUP_ORDER;
}

/** Recomputes R = sB - kA and compares its bytes, so that a second encoding of R is refused. */
export function verifyPortably(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isWellFormedSignature(signature)) return false;
  try {
    const encodedR = signature.subarray(0, HALF);
    const s = littleEndian(signature.subarray(HALF));
    const k = littleEndian(sha512(concatBytes(encodedR, publicKey, message))) % GROUP_ORDER;
    const key = ed25519.Point.fromBytes(publicKey, false);
    const expected = ed25519.Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k));
    return equalBytes(expected.toBytes(), encodedR);
  } catch {
    return false;
  }
}

/** Ed25519 is deterministic (RFC 8032 section 5.1.6): both ways give the same 64 bytes. */
export function signMessage(seed: Uint8Array, message: Uint8Array): Uint8Array {
  if (nodeCrypto === undefined) return ed25519.sign(message, seed);
  return Uint8Array.from(nodeCrypto.sign(null, message, privateKeyOf(nodeCrypto, seed)));
}

/** A seed that signs often is parsed once; the entry goes when the seed does, and counts only while the seed is unchanged. */
const privateKeys = new WeakMap<Uint8Array, { readonly seed: Uint8Array; readonly key: KeyObject }>();

function privateKeyOf(crypto: NodeCrypto, seed: Uint8Array): KeyObject {
  const known = privateKeys.get(seed);
  if (known !== undefined && equalBytes(known.seed, seed)) return known.key;
  const key = crypto.createPrivateKey({
    key: concatBytes(PKCS8_PREFIX, seed),
    format: 'der',
    type: 'pkcs8',
  });
  privateKeys.set(seed, { seed: seed.slice(), key });
  return key;
}

export function publicKeyOf(seed: Uint8Array): PublicKey {
  return ed25519.getPublicKey(seed);
}

function verifyWithNode(
  crypto: NodeCrypto,
  publicKey: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return crypto.verify(null, message, keyObjectOf(crypto, publicKey), signature);
  } catch {
    return false;
  }
}

/** Parsing a raw key costs four times what a verification does, so the parsed ones are kept; the oldest go first. */
function keyObjectOf(crypto: NodeCrypto, publicKey: PublicKey): KeyObject {
  const name = toHex(publicKey);
  const known = keyObjects.get(name);
  if (known !== undefined) return known;
  const key = crypto.createPublicKey({
    key: concatBytes(SPKI_PREFIX, publicKey),
    format: 'der',
    type: 'spki',
  });
  if (keyObjects.size >= MAX_CACHED_KEYS) keyObjects.delete(keyObjects.keys().next().value as string);
  keyObjects.set(name, key);
  return key;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
}
