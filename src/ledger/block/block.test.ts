import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TRANSACTION_BYTES } from '../transaction/transaction.ts';
import { decodeBlock, encodeBlock, MAX_BLOCK_BYTES } from './block.ts';

const HEAD = { height: 7, timeMs: 1_700_000_000_000, previousAppHash: new Uint8Array(32).fill(9) };

test('a block decodes to itself, and to nothing with bytes added or taken', () => {
  const block = { ...HEAD, transactions: [new Uint8Array([1, 2]), new Uint8Array([])] };
  const bytes = encodeBlock(block);
  assert.deepEqual(decodeBlock(bytes), { ok: true, value: block });
  assert.equal(decodeBlock(bytes.subarray(0, -1)).ok, false);
  assert.equal(decodeBlock(Uint8Array.from([...bytes, 0])).ok, false);
});

test('a block of more bytes than one may have is refused, though each transaction is small enough', () => {
  const transaction = new Uint8Array(MAX_TRANSACTION_BYTES);
  const count = MAX_BLOCK_BYTES / MAX_TRANSACTION_BYTES;
  const sized = (many: number) =>
    encodeBlock({ ...HEAD, transactions: Array.from({ length: many }, () => transaction) });
  assert.equal(decodeBlock(sized(count - 1)).ok, true);
  const decoded = decodeBlock(sized(count));
  assert.equal(decoded.ok ? 'taken' : decoded.error.code, 'too-long');
});
