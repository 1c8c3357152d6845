import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { publicKeyOf, signMessage, verifyPortably, verifySignature } from '../identity/index.ts';
import { concatBytes, toHex } from '../shared/index.ts';
import { verifyNatively as verify } from './native-verify.ts';

const GROUP_ORDER = ed25519.Point.Fn.ORDER;
/** A point of order eight: what is left of any point that is not in the prime-order group. */
const TORSION = ed25519.Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
const IDENTITY = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0));

const seed = new Uint8Array(32).fill(5);
const key = publicKeyOf(seed);
const message = new TextEncoder().encode('a message');
const good = signMessage(seed, message);

function withR(r: Uint8Array): Uint8Array {
  return Uint8Array.from([...r, ...good.subarray(32)]);
}

function withS(s: bigint): Uint8Array {
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => Number((s >> BigInt(8 * at)) & 0xffn));
  return Uint8Array.from([...good.subarray(0, 32), ...bytes]);
}

/** Valid for a verifier that multiplies by the cofactor, and for no other: R = rB + T, S = r + ka. */
function cofactoredOnly(): Uint8Array {
  const nonce = 12345678901234567890n;
  const r = ed25519.Point.BASE.multiply(nonce).add(TORSION).toBytes();
  const challenge = littleEndian(sha512(concatBytes(r, key, message))) % GROUP_ORDER;
  const s = (nonce + challenge * ed25519.utils.getExtendedPublicKey(seed).scalar) % GROUP_ORDER;
  return concatBytes(r, withS(s).subarray(32));
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
}

const scalar = littleEndian(good.subarray(32));
const cases: Record<string, [Uint8Array, boolean]> = {
  'a valid signature': [good, true],
  'S plus the group order': [withS(scalar + GROUP_ORDER), false],
  'R with a component of order eight': [cofactoredOnly(), false],
  'R of small order': [withR(TORSION.toBytes()), false],
  'R the identity': [withR(IDENTITY), false],
  'R and S zero': [Uint8Array.from([...IDENTITY, ...new Uint8Array(32)]), false],
  'R not canonical': [
    withR(Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 0xee : at === 31 ? 0x7f : 0xff))),
    false,
  ],
  'too short': [good.subarray(0, 63), false],
};

describe('the native verifier', () => {
  test('is libsodium here, so the agreement below means something', () => {
    assert.notEqual(verify, verifySignature);
  });

  for (const [name, [signature, expected]] of Object.entries(cases)) {
    test(`agrees with both others about ${name}`, () => {
      assert.equal(verify(key, message, signature), expected);
      assert.equal(verifySignature(key, message, signature), expected);
      assert.equal(verifyPortably(key, message, signature), expected);
    });
  }

  test('agrees about any flipped bit', () => {
    fc.assert(
      fc.property(fc.nat(511), (bit) => {
        const flipped = good.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        assert.equal(verify(key, message, flipped), verifySignature(key, message, flipped));
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
