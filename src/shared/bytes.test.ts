import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalJson,
  compareBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  toBase64,
  toBase64Url,
  toHex,
} from './index.ts';

const bytes = fc.uint8Array({ maxLength: 80 });

test('text forms of bytes come back, and agree with Node', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      assert.equal(toHex(value), Buffer.from(value).toString('hex'));
      assert.equal(toBase64(value), Buffer.from(value).toString('base64'));
      assert.equal(toBase64Url(value), Buffer.from(value).toString('base64url'));
      assert.deepEqual(fromHex(toHex(value)), value);
      assert.deepEqual(fromBase64(toBase64(value)), value);
      assert.deepEqual(fromBase64Url(toBase64Url(value)), value);
    }),
    { seed: 1 },
  );
});

test('a text is accepted only when it is the one text of its bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'AQgw=+/-_ 09af\n') }), (text) => {
      const plain = fromBase64(text);
      if (plain !== undefined) assert.equal(toBase64(plain), text);
      const url = fromBase64Url(text);
      if (url !== undefined) assert.equal(toBase64Url(url), text);
      const hex = fromHex(text);
      if (hex !== undefined) assert.equal(toHex(hex), text);
    }),
    { seed: 2 },
  );
  assert.equal(fromBase64('AB=='), undefined, 'unused bits are set');
  assert.equal(fromHex('AB'), undefined, 'upper case');
});

test('bytes are ordered as Node orders them', () => {
  fc.assert(
    fc.property(bytes, bytes, (left, right) => {
      assert.equal(Math.sign(compareBytes(left, right)), Buffer.compare(left, right));
    }),
    { seed: 3 },
  );
});

test('canonical JSON follows RFC 8785', () => {
  assert.equal(
    canonicalJson({ b: [1, null, 'ö'], a: { z: true, y: 1e21, x: undefined } }),
    '{"a":{"y":1e+21,"z":true},"b":[1,null,"ö"]}',
  );
  // The sorting example of RFC 8785 section 3.2.3.
  const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
  const sorted = canonicalJson(Object.fromEntries(names.map((name) => [name, 0])));
  assert.equal(sorted, '{"\\r":0,"1":0,"\u0080":0,"\u00f6":0,"\u20ac":0,"\ud83d\ude00":0,"\ufb33":0}');
  assert.throws(() => canonicalJson(Number.NaN), { code: 'malformed-json' });
  assert.throws(() => canonicalJson('\ud800'), { code: 'malformed-json' });
  let deep: unknown = 0;
  for (let level = 0; level < 10_000; level += 1) deep = [deep];
  assert.throws(() => canonicalJson(deep), { code: 'nesting-too-deep' });
});
