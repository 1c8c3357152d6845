import { CanonicalReader, CanonicalWriter, DecodeError, err, ok, type Result } from '../../shared/index.ts';
import { MAX_TRANSACTION_BYTES } from '../transaction/transaction.ts';

export const MAX_BLOCK_TRANSACTIONS = 4096;
export const MAX_BLOCK_BYTES = 16 << 20;
const BLOCK_VERSION = 1;
const HASH_BYTES = 32;

export type Block = {
  /** 1 for the first block; height 0 is the genesis state. */
  readonly height: number;
  /** The only clock a contract sees; it never goes back. */
  readonly timeMs: number;
  readonly previousAppHash: Uint8Array;
  readonly transactions: readonly Uint8Array[];
};

export function encodeBlock(block: Block): Uint8Array {
  const writer = new CanonicalWriter()
    .u8(BLOCK_VERSION)
    .u64(block.height)
    .u64(block.timeMs)
    .fixed(block.previousAppHash, HASH_BYTES)
    .u16(block.transactions.length);
  for (const transaction of block.transactions) writer.bytes(transaction, MAX_TRANSACTION_BYTES);
  return writer.finish();
}

export function decodeBlock(bytes: Uint8Array): Result<Block, DecodeError> {
  try {
    if (bytes.length > MAX_BLOCK_BYTES)
      throw new DecodeError('too-long', `a block has at most ${MAX_BLOCK_BYTES} bytes`);
    return ok(readBlock(new CanonicalReader(bytes)));
  } catch (error) {
    if (error instanceof DecodeError) return err(error);
    throw error;
  }
}

function readBlock(reader: CanonicalReader): Block {
  if (reader.u8() !== BLOCK_VERSION) throw new DecodeError('invalid-value', 'the block version is not known');
  const head = { height: reader.u64(), timeMs: reader.u64(), previousAppHash: reader.fixed(HASH_BYTES) };
  const count = reader.u16();
  if (count > MAX_BLOCK_TRANSACTIONS)
    throw new DecodeError('too-long', `a block has at most ${MAX_BLOCK_TRANSACTIONS} transactions`);
  const transactions = Array.from({ length: count }, () => reader.bytes(MAX_TRANSACTION_BYTES));
  reader.end();
  return { ...head, transactions };
}
