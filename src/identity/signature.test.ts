import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { fromHex } from '../shared/index.ts';
import {
  accountIdOf,
  derivePatientKey,
  deriveSealingKey,
  isWellFormedSignature,
  parsePublicKey,
  publicKeyOf,
  signMessage,
  verifyPortably,
  verifySignature,
} from './index.ts';

const sodium = createRequire(import.meta.url)('sodium-native') as {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
};
const seed = new Uint8Array(32).fill(7);
const publicKey = publicKeyOf(seed);
const message = Buffer.from('a message');
const signature = signMessage(seed, message);
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

const verifiers = {
  node: verifySignature,
  portable: verifyPortably,
  sodium: (key: Uint8Array, text: Uint8Array, sig: Uint8Array) =>
    isWellFormedSignature(sig) && sodium.crypto_sign_verify_detached(sig, text, key),
};

function verdicts(key: Uint8Array, text: Uint8Array, sig: Uint8Array): boolean[] {
  return Object.values(verifiers).map((verify) => verify(key, text, sig));
}

function little(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

test('the first vector of RFC 8032 section 7.1', () => {
  const rfcSeed = fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60') as Uint8Array;
  assert.equal(
    Buffer.from(publicKeyOf(rfcSeed)).toString('hex'),
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  );
  const expected =
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b';
  assert.equal(Buffer.from(signMessage(rfcSeed, new Uint8Array(0))).toString('hex'), expected);
});

test('the three verifiers agree on good, mutated and random signatures', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 64 }),
      fc.nat(63),
      fc.nat(255),
      (s, text, place, flip) => {
        const sig = signMessage(s, text);
        sig[place] = (sig[place] as number) ^ flip;
        assert.deepEqual(verdicts(publicKeyOf(s), text, sig), [flip === 0, flip === 0, flip === 0]);
      },
    ),
    { seed: 1, numRuns: 60 },
  );
});

test('S + L is refused by all, though the equation holds', () => {
  const s = BigInt(`0x${Buffer.from(signature.slice(32)).reverse().toString('hex')}`);
  const malleated = Uint8Array.from([...signature.slice(0, 32), ...little(s + ORDER)]);
  assert.deepEqual(verdicts(publicKey, message, malleated), [false, false, false]);
});

test('an R of small order is refused by all', () => {
  const a = BigInt(
    `0x${Buffer.from(ed25519.utils.getExtendedPublicKey(seed).scalar.toString(16).padStart(64, '0'), 'hex').toString('hex')}`,
  );
  const identity = little(1n);
  const k =
    BigInt(
      `0x${Buffer.from(sha512(identity, publicKey, message))
        .reverse()
        .toString('hex')}`,
    ) % ORDER;
  const forged = Uint8Array.from([...identity, ...little((k * a) % ORDER)]);
  assert.deepEqual(verdicts(publicKey, message, forged), [false, false, false]);
});

test('keys of small or mixed order, and second encodings, are no keys', () => {
  const smallOrder = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000',
  ];
  for (const hex of smallOrder) assert.ok(!parsePublicKey(fromHex(hex) as Uint8Array).ok, hex);
  const torsion = ed25519.Point.fromHex(smallOrder[1] as string);
  const mixed = ed25519.Point.fromBytes(publicKey).add(torsion).toBytes();
  assert.deepEqual(parsePublicKey(mixed), { ok: false, error: 'key-not-prime-order' });
  const nonCanonical = fromHex(
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ) as Uint8Array;
  assert.ok(!parsePublicKey(nonCanonical).ok);
  assert.deepEqual(parsePublicKey(new Uint8Array(31)), { ok: false, error: 'key-length' });
  assert.ok(parsePublicKey(publicKey).ok);
});

test('a patient has another key at each custodian, and another for sealing', () => {
  const [one, other] = [accountIdOf(publicKey), accountIdOf(publicKeyOf(new Uint8Array(32).fill(8)))];
  const keys = [
    derivePatientKey(seed, one),
    derivePatientKey(seed, other),
    deriveSealingKey(seed, one),
    deriveSealingKey(seed, other),
  ];
  assert.equal(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size, 4);
  assert.deepEqual(derivePatientKey(seed, one), keys[0]);
});

function sha512(...parts: Uint8Array[]): Buffer {
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha512').update(Buffer.concat(parts)).digest();
}
