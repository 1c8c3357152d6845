import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Request } from 'cosmjs-types/tendermint/abci/types';
import fc from 'fast-check';
import { readCheckTx } from './check-tx-request.ts';

const RUNS = { numRuns: 500, seed: 1 };

function encoded(tx: Uint8Array, type: number): Uint8Array {
  return Request.encode(Request.fromPartial({ checkTx: { tx, type } })).finish();
}

/** As the general decoder has it. */
function decoded(message: Uint8Array): { tx: number[]; type: number } | undefined {
  try {
    const { checkTx } = Request.decode(message);
    return checkTx === undefined ? undefined : { tx: [...checkTx.tx], type: checkTx.type };
  } catch {
    return undefined;
  }
}

describe('reading CheckTx requests', () => {
  test('reads what the general encoder writes', () => {
    const lengths = [1, 127, 128, 16_383, 16_384, 1 << 20];
    for (const length of lengths)
      for (const type of [0, 1]) {
        const tx = new Uint8Array(length).fill(length & 0xff);
        const read = readCheckTx(encoded(tx, type));
        assert(read !== undefined);
        assert.deepEqual(Buffer.from(read.tx), Buffer.from(tx));
        assert.equal(read.type, type);
      }
  });

  test('reads nothing else than the general decoder does, whatever the bytes are', () => {
    const message = fc
      .tuple(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(0, 1, 2),
        fc.array(fc.tuple(fc.nat(60), fc.nat(255))),
      )
      .map(([tx, type, changes]) => {
        const bytes = encoded(tx, type);
        for (const [at, byte] of changes.slice(0, 3)) if (at < bytes.length) bytes[at] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(message, (bytes) => {
        const read = readCheckTx(bytes);
        if (read !== undefined) assert.deepEqual({ tx: [...read.tx], type: read.type }, decoded(bytes));
      }),
      RUNS,
    );
  });

  test('leaves to the general decoder what is cut short, has more behind it, or is another request', () => {
    const whole = encoded(new Uint8Array(200), 1);
    for (let end = 0; end < whole.length; end++) assert.equal(readCheckTx(whole.subarray(0, end)), undefined);
    assert.equal(readCheckTx(Buffer.concat([whole, Uint8Array.of(0)])), undefined);
    assert.equal(readCheckTx(Request.encode(Request.fromPartial({ info: {} })).finish()), undefined);
  });
});
