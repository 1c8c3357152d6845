import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { isWellFormedSignature, parsePublicKey, verifyPortably, verifySignature } from './index.ts';

type Vectors = {
  publicKey: string;
  message: string;
  signatures: { name: string; signature: string; valid: boolean }[];
  publicKeys: { name: string; publicKey: string; accepted: boolean }[];
};

const sodium = createRequire(import.meta.url)('sodium-native') as {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
};
const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/signatures.json', import.meta.url), 'utf8'),
) as Vectors;
const hex = (text: string) => Buffer.from(text, 'hex');

for (const { name, signature, valid } of vectors.signatures) {
  test(`signature, ${name}: OpenSSL, libsodium and portable code give one verdict`, () => {
    const [key, message, bytes] = [hex(vectors.publicKey), hex(vectors.message), hex(signature)];
    const verdicts = [
      verifySignature(key, message, bytes),
      isWellFormedSignature(bytes) && sodium.crypto_sign_verify_detached(bytes, message, key),
      verifyPortably(key, message, bytes),
    ];
    assert.deepEqual(verdicts, [valid, valid, valid]);
  });
}

for (const { name, publicKey, accepted } of vectors.publicKeys) {
  test(`public key, ${name}`, () => assert.equal(parsePublicKey(hex(publicKey)).ok, accepted));
}
