import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export const BOX_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;
export const KEY_BYTES = 32;

/** Fills a fresh array with cryptographic randomness. */
export type Random = (length: number) => Uint8Array;

/** AES-256-GCM (NIST SP 800-38D): nonce ‖ ciphertext ‖ tag. The nonce is random: no key here seals near 2^32 boxes. */
export function sealBox(
  key: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array,
  random: Random,
): Uint8Array {
  const nonce = random(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyObjectOf(key), nonce);
  cipher.setAAD(associated);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  const box = new Uint8Array(BOX_OVERHEAD_BYTES + ciphertext.length);
  box.set(nonce, 0);
  box.set(ciphertext, NONCE_BYTES);
  box.set(cipher.getAuthTag(), NONCE_BYTES + ciphertext.length);
  return box;
}

/** The plaintext, or undefined when key, associated data or any byte is not what it was. */
export function openBox(key: Uint8Array, box: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  if (box.length < BOX_OVERHEAD_BYTES) return undefined;
  const end = box.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', keyObjectOf(key), box.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associated);
  decipher.setAuthTag(box.subarray(end));
  const plaintext = decipher.update(box.subarray(NONCE_BYTES, end));
  try {
    decipher.final();
    // A plain array: `slice` of a Buffer is a view, and these bytes are wiped after use.
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  } catch {
    plaintext.fill(0);
    return undefined;
  }
}

/** Node takes three times as long over a raw key as over a KeyObject it has seen; the entry goes when the key does. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObjectOf(key: Uint8Array): KeyObject {
  let known = keyObjects.get(key);
  if (known === undefined) {
    known = createSecretKey(key);
    keyObjects.set(key, known);
  }
  return known;
}

/** Draws randomness in blocks: one call to the system's generator serves many small draws. */
export function pooledRandom(random: Random): Random {
  const POOL_BYTES = 8192;
  let pool = new Uint8Array(0);
  let used = 0;
  return (length) => {
    if (length > POOL_BYTES / 4) return random(length);
    if (used + length > pool.length) {
      pool = new Uint8Array(random(POOL_BYTES));
      used = 0;
    }
    const drawn = pool.slice(used, used + length);
    // What was drawn may be a key: no copy of it stays here.
    pool.fill(0, used, used + length);
    used += length;
    return drawn;
  };
}
