import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import {
  AppError,
  contentBinding,
  dataKeyBinding,
  equalBytes,
  recordCommitment,
  type SealedCopy,
  sealedKeyBinding,
  utf8,
} from '../../shared/index.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const CATEGORY = 'sealed';

/** RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/**
 * Opens a sealed copy with the X25519 private key that it was sealed to, and checks it against its commitment. Throws AppError
 * `damaged` for another key, and when a byte of the copy is not what it was.
 */
export async function openSealedCopy(
  privateKey: Uint8Array,
  copy: SealedCopy,
): Promise<{ readonly plaintext: Uint8Array; readonly salt: Uint8Array }> {
  const bound = { ...copy, category: CATEGORY };
  try {
    const categoryKey = await openCategoryKey(privateKey, copy);
    const keyAndSalt = await openBox(categoryKey, copy.wrapped, dataKeyBinding(bound));
    const salt = keyAndSalt.slice(KEY_BYTES);
    const plaintext = await openBox(keyAndSalt.slice(0, KEY_BYTES), copy.content, contentBinding(bound));
    if (equalBytes(recordCommitment(salt, copy, copy.subject, plaintext), copy.commitment))
      return { plaintext, salt };
  } catch (cause) {
    throw doesNotOpen(cause);
  }
  throw doesNotOpen();
}

async function openCategoryKey(privateKey: Uint8Array, copy: SealedCopy): Promise<Uint8Array> {
  const info = utf8(sealedKeyBinding({ ...copy, category: CATEGORY }));
  const recipientKey = await suite.kem.deserializePrivateKey(bufferOf(privateKey));
  const sealed = { recipientKey, enc: bufferOf(copy.encapsulated), info: bufferOf(info) };
  return new Uint8Array(await suite.open(sealed, bufferOf(copy.sealedKey)));
}

/** AES-256-GCM: nonce ‖ ciphertext ‖ tag. */
async function openBox(key: Uint8Array, box: Uint8Array, associated: string): Promise<Uint8Array> {
  const { subtle } = globalThis.crypto;
  const usable = await subtle.importKey('raw', bufferOf(key), 'AES-GCM', false, ['decrypt']);
  const algorithm = {
    name: 'AES-GCM',
    iv: bufferOf(box.subarray(0, NONCE_BYTES)),
    additionalData: bufferOf(utf8(associated)),
  };
  return new Uint8Array(await subtle.decrypt(algorithm, usable, bufferOf(box.subarray(NONCE_BYTES))));
}

function doesNotOpen(cause?: unknown): AppError {
  return new AppError(
    'damaged',
    'This copy does not open: it was sealed to another wallet, or it is damaged. Ask the node for it again.',
    { cause },
  );
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
