import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { packChecks, type SignatureCheck, unpackChecks } from './signature-batch.ts';
import { VerifyPool } from './verify-pool.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const rawPublicKey = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));

function signed(text: string): SignatureCheck {
  const message = new TextEncoder().encode(text);
  return { publicKey: rawPublicKey, message, signature: new Uint8Array(sign(null, message, privateKey)) };
}

function forged(text: string): SignatureCheck {
  const check = signed(text);
  return { ...check, message: new TextEncoder().encode(`${text}!`) };
}

describe('the signature pool', () => {
  const pool = new VerifyPool(2);
  after(() => pool.close());
  const check = (one: SignatureCheck): Promise<boolean> => new Promise((resolve) => pool.check(one, resolve));

  test('packs and unpacks checks without loss', () => {
    const checks = [signed(''), signed('a'), signed('b'.repeat(5000))];
    assert.deepEqual(
      [...unpackChecks(packChecks(checks))],
      checks.map(({ publicKey: key, message, signature }) => ({ publicKey: key, signature, message })),
    );
  });

  test('answers before its workers are ready, and after', async () => {
    for (let round = 0; round < 30; round++) {
      const verdicts = await Promise.all([
        check(signed('one')),
        check(forged('two')),
        check(signed('three')),
      ]);
      assert.deepEqual(verdicts, [true, false, true]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  test('answers each of many checks with its own verdict', async () => {
    const checks = Array.from({ length: 500 }, (_, at) =>
      at % 3 === 0 ? forged(`message ${at}`) : signed(`message ${at}`),
    );
    const verdicts = await Promise.all(checks.map(check));
    assert.deepEqual(
      verdicts,
      checks.map((_, at) => at % 3 !== 0),
    );
  });

  test('settles every check that is under way when it is closed', async () => {
    const closing = new VerifyPool(1);
    const verdicts = Array.from(
      { length: 200 },
      (_, at) =>
        new Promise<boolean>((resolve) => closing.check(at === 7 ? forged('x') : signed(`y ${at}`), resolve)),
    );
    await closing.close();
    assert.equal((await Promise.all(verdicts)).filter((valid) => !valid).length, 1);
  });
});
