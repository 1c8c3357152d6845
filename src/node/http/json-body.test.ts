import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonDepthExceeds, parseJson } from './json-body.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('ten thousand levels are refused before the parser sees them', () => {
  assert.throws(() => parseJson(bytes('['.repeat(10_000) + ']'.repeat(10_000))), {
    code: 'nesting-too-deep',
  });
  assert.throws(() => parseJson(bytes('{"a":'.repeat(10_000))), { code: 'nesting-too-deep' });
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
