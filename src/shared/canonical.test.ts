import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CanonicalReader, CanonicalWriter, DecodeError } from './index.ts';

const MAX = 1000;
const record = fc.record(
  {
    small: fc.integer({ min: 0, max: 0xff }),
    medium: fc.integer({ min: 0, max: 0xffff }),
    large: fc.integer({ min: 0, max: 0xffffffff }),
    largest: fc.maxSafeNat(),
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    data: fc.uint8Array({ maxLength: MAX }),
    name: fc.string({ unit: fc.constantFrom(...'aZ 9~'), maxLength: 40 }),
  },
  { noNullPrototype: true },
);
type Sample = {
  small: number;
  medium: number;
  large: number;
  largest: number;
  key: Uint8Array;
  data: Uint8Array;
  name: string;
};

function write(value: Sample): Uint8Array {
  const writer = new CanonicalWriter().u8(value.small).u16(value.medium).u32(value.large).u64(value.largest);
  return writer.fixed(value.key, 32).bytes(value.data, MAX).ascii(value.name, 40).finish();
}

function read(bytes: Uint8Array): Sample {
  const reader = new CanonicalReader(bytes);
  const value = {
    small: reader.u8(),
    medium: reader.u16(),
    large: reader.u32(),
    largest: reader.u64(),
    key: reader.fixed(32),
    data: reader.bytes(MAX),
    name: reader.ascii(40),
  };
  reader.end();
  return value;
}

test('what was written is read', () => {
  fc.assert(
    fc.property(record, (value) => assert.deepEqual(read(write(value)), value)),
    { seed: 1 },
  );
});

test('whatever bytes are accepted are the ones that would be written', () => {
  const mutated = fc.tuple(record, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([value, place, flip]) => {
    const bytes = write(value);
    const index = place % bytes.length;
    bytes[index] = (bytes[index] as number) ^ flip;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      let value: Sample;
      try {
        value = read(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
        return;
      }
      assert.deepEqual(write(value), bytes);
    }),
    { seed: 2, numRuns: 500 },
  );
});

test('each way of being wrong has its code', () => {
  const code = (bytes: number[], run: (reader: CanonicalReader) => void) => {
    try {
      run(new CanonicalReader(Uint8Array.from(bytes)));
    } catch (error) {
      return (error as DecodeError).code;
    }
    return 'accepted';
  };
  assert.equal(
    code([1], (reader) => reader.u16()),
    'truncated',
  );
  assert.equal(
    code([1, 2], (reader) => {
      reader.u8();
      reader.end();
    }),
    'trailing-bytes',
  );
  assert.equal(
    code([0, 0, 0, 9, 1], (reader) => reader.bytes(8)),
    'too-long',
  );
  assert.equal(
    code([0, 1, 0x7f], (reader) => reader.ascii(8)),
    'not-ascii',
  );
  assert.equal(
    code([0, 0x20, 0, 0, 0, 0, 0, 0], (reader) => reader.u64()),
    'integer-too-large',
  );
});

test('writing what does not fit is a bug, not a truncation', () => {
  assert.throws(() => new CanonicalWriter().u8(256), /bug/);
  assert.throws(() => new CanonicalWriter().u32(-1), /bug/);
  assert.throws(() => new CanonicalWriter().u32(1.5), /bug/);
  assert.throws(() => new CanonicalWriter().fixed(new Uint8Array(3), 4), /bug/);
  assert.throws(() => new CanonicalWriter().ascii('\u00e9', 9), /bug/);
});
