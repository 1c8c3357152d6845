import { CanonicalReader, CanonicalWriter, DecodeError, fromUtf8, utf8 } from '../shared/index.ts';
import { HASH_BYTES, MAX_PAYLOAD_BYTES } from './frame.ts';

/** The head after a block, as it stood when the block was written; replay has to reach the same. */
export type Seal = {
  readonly timeMs: number;
  readonly logSize: number;
  readonly logRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly appHash: Uint8Array;
  /** The operator's signed note over this head. */
  readonly checkpoint: string;
};

/** The payload of a frame: the genesis or a block, the results in order, and the seal. */
export type BlockRecord = {
  readonly kind: 'genesis' | 'block';
  readonly body: Uint8Array;
  readonly codes: readonly number[];
  readonly seal: Seal;
};

const KINDS = ['genesis', 'block'] as const;
const MAX_CHECKPOINT_CHARACTERS = 4096;

export function encodeRecord(record: BlockRecord): Uint8Array {
  const { seal } = record;
  const writer = new CanonicalWriter()
    .u8(KINDS.indexOf(record.kind))
    .bytes(record.body, MAX_PAYLOAD_BYTES)
    .u32(record.codes.length);
  for (const code of record.codes) writer.u16(code);
  return writer
    .u64(seal.timeMs)
    .u64(seal.logSize)
    .fixed(seal.logRoot, HASH_BYTES)
    .fixed(seal.stateRoot, HASH_BYTES)
    .fixed(seal.appHash, HASH_BYTES)
    .bytes(utf8(seal.checkpoint), MAX_CHECKPOINT_CHARACTERS)
    .finish();
}

/** Throws DecodeError for anything `encodeRecord` does not write. */
export function decodeRecord(payload: Uint8Array): BlockRecord {
  const reader = new CanonicalReader(payload);
  const kind = KINDS[reader.u8()];
  if (kind === undefined) throw new DecodeError('invalid-value', 'the kind of the record is unknown');
  const body = reader.bytes(MAX_PAYLOAD_BYTES);
  const count = reader.u32();
  if (count * 2 > reader.remaining()) throw new DecodeError('truncated', 'the results are not all there');
  const codes = Array.from({ length: count }, () => reader.u16());
  const seal = decodeSeal(reader);
  reader.end();
  return { kind, body, codes, seal };
}

function decodeSeal(reader: CanonicalReader): Seal {
  const seal = {
    timeMs: reader.u64(),
    logSize: reader.u64(),
    logRoot: reader.fixed(HASH_BYTES),
    stateRoot: reader.fixed(HASH_BYTES),
    appHash: reader.fixed(HASH_BYTES),
  };
  const checkpoint = fromUtf8(reader.bytes(MAX_CHECKPOINT_CHARACTERS));
  if (checkpoint === undefined) throw new DecodeError('invalid-value', 'the checkpoint is not text');
  return { ...seal, checkpoint };
}
