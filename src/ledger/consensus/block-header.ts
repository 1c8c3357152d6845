import { equalBytes, leafHash, treeRoot } from '../../shared/index.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

const HASH_BYTES = 32;
/** An application chooses the length; ours has 32. */
const MAX_APP_HASH_BYTES = 64;
/** tmhash.TruncatedSize: the first bytes of the SHA-256 of a key. */
export const ADDRESS_BYTES = 20;
/** types.MaxChainIDLen. */
const MAX_CHAIN_NAME_CHARACTERS = 50;
/** version.BlockProtocol of CometBFT v0.38: a header of another form has another number. */
const BLOCK_PROTOCOL = 11;
const NANOSECONDS = 1_000_000_000n;
const MAX_INT32 = 0x7fff_ffff;
/** types.MaxBlockPartsCount: a block of 100 MiB in parts of 64 KiB. */
const MAX_PARTS = 1601;
/** The last second that RFC 3339 can write. */
const MAX_TIME_NS = 253_402_300_800n * NANOSECONDS;

/** What a block is called: the hash of its header, and the root of the parts it was sent in. */
export type BlockId = {
  readonly hash: Uint8Array;
  readonly parts: { readonly total: number; readonly hash: Uint8Array };
};

/** A header of CometBFT v0.38 (types.Header). The hash of the application is that of the block before. */
export type BlockHeader = {
  readonly version: { readonly block: number; readonly app: number };
  readonly chainName: string;
  readonly height: number;
  readonly timeNs: bigint;
  /** Of no block (empty hashes, no parts) at the first height. */
  readonly lastBlockId: BlockId;
  readonly lastCommitHash: Uint8Array;
  readonly dataHash: Uint8Array;
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
  readonly evidenceHash: Uint8Array;
  readonly proposerAddress: Uint8Array;
};

/** types.Header.Hash: the Merkle root over the fourteen fields, each encoded by itself. */
export function headerHash(header: BlockHeader): Uint8Array {
  const { version, lastBlockId } = header;
  const fields = [
    new ProtobufWriter().varint(1, version.block).varint(2, version.app).finish(),
    new ProtobufWriter().string(1, header.chainName).finish(),
    new ProtobufWriter().varint(1, header.height).finish(),
    encodeTime(header.timeNs),
    encodeBlockId(lastBlockId),
    bytesValue(header.lastCommitHash),
    bytesValue(header.dataHash),
    bytesValue(header.validatorsHash),
    bytesValue(header.nextValidatorsHash),
    bytesValue(header.consensusHash),
    bytesValue(header.appHash),
    bytesValue(header.lastResultsHash),
    bytesValue(header.evidenceHash),
    bytesValue(header.proposerAddress),
  ];
  return treeRoot(fields.map(leafHash));
}

/** The same bytes for a block id and for the canonical one that is signed: their fields have the same numbers. */
export function encodeBlockId({ hash, parts }: BlockId): Uint8Array {
  const encodedParts = new ProtobufWriter().varint(1, parts.total).bytes(2, parts.hash).finish();
  return new ProtobufWriter().bytes(1, hash).message(2, encodedParts).finish();
}

/** google.protobuf.Timestamp. */
export function encodeTime(timeNs: bigint): Uint8Array {
  const nanos = ((timeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  return new ProtobufWriter()
    .varint(1, (timeNs - nanos) / NANOSECONDS)
    .varint(2, nanos)
    .finish();
}

/** Whether a header has the sizes and ranges that every header has (types.Header.ValidateBasic), and is worth hashing. */
export function isWholeHeader(header: BlockHeader): boolean {
  const { version, chainName, height, timeNs, lastBlockId, appHash, proposerAddress } = header;
  const isFirst = equalBlockIds(lastBlockId, NO_BLOCK);
  return (
    version.block === BLOCK_PROTOCOL &&
    Number.isSafeInteger(version.app) &&
    version.app >= 0 &&
    isChainName(chainName) &&
    isHeight(height) &&
    isTime(timeNs) &&
    isFirst === (height === 1) &&
    (isFirst || isWholeBlockId(lastBlockId)) &&
    hashesOf(header).every(({ length }) => length === HASH_BYTES) &&
    appHash.length <= MAX_APP_HASH_BYTES &&
    proposerAddress.length === ADDRESS_BYTES
  );
}

/** A block id that names a block. */
export function isWholeBlockId({ hash, parts }: BlockId): boolean {
  const isCounted = Number.isSafeInteger(parts.total) && parts.total > 0 && parts.total <= MAX_PARTS;
  return isCounted && hash.length === HASH_BYTES && parts.hash.length === HASH_BYTES;
}

export function equalBlockIds(left: BlockId, right: BlockId): boolean {
  return (
    equalBytes(left.hash, right.hash) &&
    left.parts.total === right.parts.total &&
    equalBytes(left.parts.hash, right.parts.hash)
  );
}

export function isChainName(name: string): boolean {
  return name.length <= MAX_CHAIN_NAME_CHARACTERS && /^[\x21-\x7e]+$/.test(name);
}

export function isHeight(height: number): boolean {
  return Number.isSafeInteger(height) && height > 0;
}

export function isRound(round: number): boolean {
  return Number.isSafeInteger(round) && round >= 0 && round <= MAX_INT32;
}

export function isTime(timeNs: bigint): boolean {
  return timeNs > 0n && timeNs < MAX_TIME_NS;
}

export const NO_BLOCK: BlockId = { hash: new Uint8Array(), parts: { total: 0, hash: new Uint8Array() } };

function hashesOf(header: BlockHeader): readonly Uint8Array[] {
  const { lastCommitHash, dataHash, validatorsHash, nextValidatorsHash } = header;
  const { consensusHash, lastResultsHash, evidenceHash } = header;
  return [
    lastCommitHash,
    dataHash,
    validatorsHash,
    nextValidatorsHash,
    consensusHash,
    lastResultsHash,
    evidenceHash,
  ];
}

/** google.protobuf.BytesValue; no bytes at all for an empty one (types.cdcEncode). */
function bytesValue(value: Uint8Array): Uint8Array {
  return new ProtobufWriter().bytes(1, value).finish();
}
