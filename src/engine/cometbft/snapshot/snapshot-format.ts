import {
  decodeTransaction,
  logLeaf,
  MAX_BLOCK_TRANSACTIONS,
  MAX_TRANSACTION_BYTES,
  RESULT_CODES,
  type ResultCode,
  resultName,
} from '../../../ledger/index.ts';
import { CanonicalReader, CanonicalWriter, DecodeError, leafHash } from '../../../shared/index.ts';

/** The only format there is: every block up to a height, as docs/protocol.md says under "Snapshots". */
export const SNAPSHOT_FORMAT = 1;
const HASH_BYTES = 32;
/** CometBFT takes four million bytes of metadata; a chunk needs 16. */
export const MAX_CHUNKS = 200_000;
/** More than any tree within 2^53 leaves has on both sides of a range. */
const MAX_PROOF_HASHES = 128;

/** The last block of a chunk, and the size of the history after it. */
export type ChunkEnd = { readonly height: number; readonly leaves: number };

/** What a snapshot holds: the head it leads to, and where each of its chunks ends. */
export type SnapshotMetadata = {
  readonly height: number;
  readonly logSize: number;
  readonly logRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly chunkEnds: readonly ChunkEnd[];
};

export type SnapshotBlock = {
  readonly height: number;
  readonly timeMs: number;
  readonly transactions: readonly Uint8Array[];
  readonly codes: readonly ResultCode[];
};

/** Blocks that follow one another, and the proof that their leaves stand in the history where they should. */
export type SnapshotChunk = {
  readonly blocks: readonly SnapshotBlock[];
  readonly proof: readonly Uint8Array[];
};

export function encodeMetadata({
  height,
  logSize,
  logRoot,
  stateRoot,
  chunkEnds,
}: SnapshotMetadata): Uint8Array {
  const writer = new CanonicalWriter()
    .u64(height)
    .u64(logSize)
    .fixed(logRoot, HASH_BYTES)
    .fixed(stateRoot, HASH_BYTES)
    .u32(chunkEnds.length);
  for (const end of chunkEnds) writer.u64(end.height).u64(end.leaves);
  return writer.finish();
}

/** Throws DecodeError for metadata that cannot be that of a snapshot. */
export function decodeMetadata(bytes: Uint8Array): SnapshotMetadata {
  const reader = new CanonicalReader(bytes);
  const head = {
    height: reader.u64(),
    logSize: reader.u64(),
    logRoot: reader.fixed(HASH_BYTES),
    stateRoot: reader.fixed(HASH_BYTES),
  };
  const count = reader.u32();
  if (count === 0 || count > MAX_CHUNKS)
    throw new DecodeError('invalid-value', 'the number of chunks is wrong');
  const chunkEnds = Array.from({ length: count }, () => ({ height: reader.u64(), leaves: reader.u64() }));
  reader.end();
  const last = chunkEnds.at(-1) as ChunkEnd;
  if (!areAscending(chunkEnds) || last.height !== head.height || last.leaves !== head.logSize)
    throw new DecodeError('invalid-value', 'the chunks do not lead to the head');
  return { ...head, chunkEnds };
}

function areAscending(ends: readonly ChunkEnd[]): boolean {
  return ends.every(({ height, leaves }, index) => {
    const before = ends[index - 1] ?? { height: 0, leaves: 0 };
    return height > before.height && leaves > before.leaves;
  });
}

export function encodeChunk({ blocks, proof }: SnapshotChunk): Uint8Array {
  const writer = new CanonicalWriter().u32(blocks.length);
  for (const block of blocks) {
    writer.u64(block.height).u64(block.timeMs).u16(block.transactions.length);
    for (const [index, bytes] of block.transactions.entries())
      writer.bytes(bytes, MAX_TRANSACTION_BYTES).u16(block.codes[index] as number);
  }
  writer.u16(proof.length);
  for (const hash of proof) writer.fixed(hash, HASH_BYTES);
  return writer.finish();
}

/** Throws DecodeError for anything `encodeChunk` does not write. */
export function decodeChunk(bytes: Uint8Array): SnapshotChunk {
  const reader = new CanonicalReader(bytes);
  const count = reader.u32();
  if (count === 0 || count > reader.remaining())
    throw new DecodeError('truncated', 'the blocks are not all there');
  const blocks = Array.from({ length: count }, () => readBlock(reader));
  const hashes = reader.u16();
  if (hashes > MAX_PROOF_HASHES) throw new DecodeError('invalid-value', 'the proof is too long');
  const proof = Array.from({ length: hashes }, () => reader.fixed(HASH_BYTES));
  reader.end();
  return { blocks, proof };
}

function readBlock(reader: CanonicalReader): SnapshotBlock {
  const place = { height: reader.u64(), timeMs: reader.u64() };
  const count = reader.u16();
  if (count === 0 || count > MAX_BLOCK_TRANSACTIONS)
    throw new DecodeError('invalid-value', 'a block has no transactions, or too many');
  const transactions: Uint8Array[] = [];
  const codes: ResultCode[] = [];
  for (let index = 0; index < count; index++) {
    transactions.push(reader.bytes(MAX_TRANSACTION_BYTES));
    codes.push(readCode(reader));
  }
  return { ...place, transactions, codes };
}

function readCode(reader: CanonicalReader): ResultCode {
  const name = resultName(reader.u16());
  if (name === undefined) throw new DecodeError('invalid-value', 'a result code is not known');
  return RESULT_CODES[name];
}

/** The hashes that a block's transactions have in the history. They bind its height and time, each payload and each result. */
export function leafHashesOf({ height, timeMs, transactions, codes }: SnapshotBlock): Uint8Array[] {
  return transactions.map((bytes, index) => {
    const transaction = decodeTransaction(bytes);
    if (!transaction.ok) throw transaction.error;
    const code = codes[index] as ResultCode;
    return leafHash(logLeaf({ height, index, timeMs }, transaction.value, { code }));
  });
}
