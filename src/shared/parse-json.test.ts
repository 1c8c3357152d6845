import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonDepthExceeds, MAX_JSON_DEPTH, parseJson } from './parse-json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('ten thousand levels are refused before the parser sees them', () => {
  assert.throws(() => parseJson(bytes('['.repeat(10_000) + ']'.repeat(10_000))), {
    code: 'nesting-too-deep',
  });
  assert.throws(() => parseJson(bytes('{"a":'.repeat(10_000))), { code: 'nesting-too-deep' });
});

test('the deepest that is allowed parses, one level more does not', () => {
  const nested = (levels: number) => bytes('['.repeat(levels) + ']'.repeat(levels));
  assert.ok(Array.isArray(parseJson(nested(MAX_JSON_DEPTH))));
  assert.throws(() => parseJson(nested(MAX_JSON_DEPTH + 1)), { code: 'nesting-too-deep' });
});

test('no member is called __proto__, however it is spelled', () => {
  for (const text of [
    '{"a":{"__proto__":{}}}',
    String.raw`{"\u005f_proto__":1}`,
    String.raw`{"__pr\u006fto__":1}`,
  ])
    assert.throws(() => parseJson(bytes(text)), { code: 'malformed-json' });
  assert.deepEqual(parseJson(bytes('{"a":"__proto__"}')), { a: '__proto__' });
});

test('a number that could not be kept is refused, and one that only looks long is not', () => {
  for (const lost of ['12345678901234567.123', '1e999', '0.1234567890123456789', '[123456789012345678901]'])
    assert.throws(() => parseJson(bytes(`{"value":${lost}}`)), { code: 'malformed-json' }, lost);
  for (const kept of ['5.40', '0.000000000000000001', '175.06217493413678', '100000000000000000000', '1e200'])
    assert.deepEqual(parseJson(bytes(`{"value": ${kept}}`)), { value: Number(kept) }, kept);
  assert.deepEqual(parseJson(bytes('{"oid":"2.16.840.1.113883.4.1.12345"}')), {
    oid: '2.16.840.1.113883.4.1.12345',
  });
});

test('a number of four million digits is refused or read as soon as any text of its length', () => {
  const zeros = '0'.repeat(4_000_000);
  assert.throws(() => parseJson(bytes(`{"value":0.1${zeros}1}`)), { code: 'malformed-json' });
  assert.deepEqual(parseJson(bytes(`{"value":0.1${zeros}}`)), { value: 0.1 });
});

test('brackets inside strings do not count, escapes do not end a string', () => {
  const text = JSON.stringify({ text: '[[[[{{{{\\"[[' });
  assert.equal(jsonDepthExceeds(bytes(text), 1), false);
  assert.equal(jsonDepthExceeds(bytes('[[]]'), 1), true);
  assert.deepEqual(parseJson(bytes(text)), JSON.parse(text));
});

test('an error never quotes the input', () => {
  for (const bad of ['{"name":"CANARY"', 'CANARY', '{"a":CANARY}']) {
    assert.throws(
      () => parseJson(bytes(bad)),
      (error: Error) => !error.message.includes('CANARY') && error.cause === undefined,
    );
  }
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)), { code: 'malformed-json' });
});
