import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { AppError, sealedKeyBinding, utf8 } from '../../shared/index.ts';
import type { Category } from '../category.ts';
import type { SealedKey } from './grants.ts';

/** RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});
const X25519_BYTES = 32;

type Sealed = { readonly encapsulated: Uint8Array; readonly ciphertext: Uint8Array };
type Scope = {
  readonly subject: string;
  readonly category: Category;
  readonly epoch: number;
  readonly grantee: string;
};

/** Seals a category key to an X25519 public key; it opens only as the key of this scope. */
export async function sealKeyTo(publicKey: Uint8Array, key: Uint8Array, scope: Scope): Promise<Sealed> {
  if (publicKey.length !== X25519_BYTES)
    throw new AppError('invalid-request', 'A sealing key must have 32 bytes (X25519).');
  try {
    const recipientPublicKey = await suite.kem.deserializePublicKey(copyOf(publicKey));
    const { enc, ct } = await suite.seal({ recipientPublicKey, info: copyOf(infoOf(scope)) }, copyOf(key));
    return { encapsulated: new Uint8Array(enc), ciphertext: new Uint8Array(ct) };
  } catch (cause) {
    throw new AppError(
      'invalid-request',
      'The sealing key is not a usable X25519 key. Enrol the wallet again.',
      { cause },
    );
  }
}

/** What the grantee does: recovers a category key with its X25519 private key. Throws AppError `damaged`. */
export async function openSealedKey(privateKey: Uint8Array, sealed: SealedKey): Promise<Uint8Array> {
  try {
    const recipientKey = await suite.kem.deserializePrivateKey(copyOf(privateKey));
    const enc = copyOf(sealed.encapsulated);
    const plain = await suite.open(
      { recipientKey, enc, info: copyOf(infoOf(sealed)) },
      copyOf(sealed.ciphertext),
    );
    return new Uint8Array(plain);
  } catch (cause) {
    throw new AppError(
      'damaged',
      'This key was not sealed to you, or it is damaged. Ask the custodian for it again.',
      { cause },
    );
  }
}

function infoOf(scope: Scope): Uint8Array {
  return utf8(sealedKeyBinding(scope));
}

function copyOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
