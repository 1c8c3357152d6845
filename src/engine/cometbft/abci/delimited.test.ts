import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { concatBytes } from '../../../shared/index.ts';
import { DelimitedReader, delimit, FramingError } from './delimited.ts';

describe('length-delimited messages', () => {
  test('are read back however the bytes are cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 300 })), (sent, cuts) => {
        const reader = new DelimitedReader();
        const stream = concatBytes(...sent.map(delimit));
        const got: number[][] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          for (const one of reader.push(stream.subarray(at, at + cut))) got.push([...one]);
          at += cut;
        }
        assert.deepEqual(
          got,
          sent.map((one) => [...one]),
        );
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('have their length as an unsigned varint', () => {
    assert.deepEqual([...delimit(new Uint8Array(300)).subarray(0, 2)], [0xac, 0x02]);
    assert.deepEqual([...delimit(new Uint8Array(0))], [0]);
  });

  test('are refused by their length before they have arrived', () => {
    const reader = new DelimitedReader(1000);
    assert.throws(() => reader.push(Uint8Array.of(0xe9, 0x07)), FramingError);
    assert.throws(() => new DelimitedReader().push(new Uint8Array(5).fill(0xff)), FramingError);
  });

  test('without an end to their length are refused', () => {
    assert.throws(() => new DelimitedReader().push(new Uint8Array(6).fill(0x80)), FramingError);
  });
});
