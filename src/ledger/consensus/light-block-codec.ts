import { CanonicalReader, CanonicalWriter, DecodeError, err, ok, type Result } from '../../shared/index.ts';
import { ADDRESS_BYTES, type BlockHeader, type BlockId, isTime, isWholeHeader } from './block-header.ts';
import type { Commit, CommitSignature } from './commit.ts';
import type { LightBlock } from './light-block.ts';
import { MAX_VALIDATORS, type Validator } from './validator-set.ts';

const HEADER_DOMAIN = 'careledger/consensus-header/v1';
const DOMAIN = 'careledger/light-block/v1';
const NANOSECONDS = 1_000_000_000n;
const MAX_CHAIN_NAME_CHARACTERS = 50;
const MAX_HASH_BYTES = 64;
const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;
const VOTES: readonly (CommitSignature['vote'] | undefined)[] = [undefined, 'absent', 'commit', 'nil'];

/** Of MAX_VALIDATORS, which no consortium has, each with its signature. */
export const MAX_LIGHT_BLOCK_BYTES = 256 << 10;
export const MAX_BLOCK_HEADER_BYTES = 1024;

/** The one form of a header in files (docs/protocol.md, "Consensus proofs"). */
export function encodeBlockHeader(header: BlockHeader): Uint8Array {
  const writer = new CanonicalWriter().ascii(HEADER_DOMAIN, HEADER_DOMAIN.length);
  writeHeader(writer, header);
  return writer.finish();
}

/** Reads what encodeBlockHeader writes, and no other; it is a whole header, of which nothing is verified. */
export function decodeBlockHeader(bytes: Uint8Array): Result<BlockHeader, DecodeError> {
  return decoding(bytes, MAX_BLOCK_HEADER_BYTES, (reader) => {
    refuseUnless(reader.ascii(HEADER_DOMAIN.length) === HEADER_DOMAIN, 'this is not a header');
    return readHeader(reader);
  });
}

/** The one form of a light block in files (docs/protocol.md, "Consensus proofs"). */
export function encodeLightBlock({ header, commit, validators }: LightBlock): Uint8Array {
  const writer = new CanonicalWriter().ascii(DOMAIN, DOMAIN.length);
  writeHeader(writer, header);
  writer.u64(commit.height).u32(commit.round);
  writeBlockId(writer, commit.blockId);
  writer.u16(commit.signatures.length);
  for (const signature of commit.signatures) writeSignature(writer, signature);
  writer.u16(validators.length);
  for (const { publicKey, power } of validators) writer.fixed(publicKey, HASH_BYTES).u64(power);
  return writer.finish();
}

/** Reads what encodeLightBlock writes, and no other. Nothing is verified but the form. */
export function decodeLightBlock(bytes: Uint8Array): Result<LightBlock, DecodeError> {
  return decoding(bytes, MAX_LIGHT_BLOCK_BYTES, (reader) => {
    refuseUnless(reader.ascii(DOMAIN.length) === DOMAIN, 'this is not a light block');
    const header = readHeader(reader);
    const commit = readCommit(reader);
    const validators = listOf(reader, readValidator);
    return { header, commit, validators };
  });
}

function decoding<T>(
  bytes: Uint8Array,
  maxBytes: number,
  read: (reader: CanonicalReader) => T,
): Result<T, DecodeError> {
  try {
    refuseUnless(bytes.length <= maxBytes, 'it is too long');
    const reader = new CanonicalReader(bytes);
    const value = read(reader);
    reader.end();
    return ok(value);
  } catch (error) {
    if (error instanceof DecodeError) return err(error);
    throw error;
  }
}

function writeHeader(writer: CanonicalWriter, header: BlockHeader): void {
  writer.u64(header.version.block).u64(header.version.app);
  writer.ascii(header.chainName, MAX_CHAIN_NAME_CHARACTERS).u64(header.height);
  writeTime(writer, header.timeNs);
  writeBlockId(writer, header.lastBlockId);
  for (const hash of hashesOf(header)) writer.bytes(hash, MAX_HASH_BYTES);
}

function hashesOf(header: BlockHeader): readonly Uint8Array[] {
  return [
    header.lastCommitHash,
    header.dataHash,
    header.validatorsHash,
    header.nextValidatorsHash,
    header.consensusHash,
    header.appHash,
    header.lastResultsHash,
    header.evidenceHash,
    header.proposerAddress,
  ];
}

function readHeader(reader: CanonicalReader): BlockHeader {
  const version = { block: reader.u64(), app: reader.u64() };
  const chainName = reader.ascii(MAX_CHAIN_NAME_CHARACTERS);
  const height = reader.u64();
  const timeNs = readTime(reader);
  const lastBlockId = readBlockId(reader);
  const hash = (): Uint8Array => reader.bytes(MAX_HASH_BYTES);
  const header: BlockHeader = {
    version,
    chainName,
    height,
    timeNs,
    lastBlockId,
    lastCommitHash: hash(),
    dataHash: hash(),
    validatorsHash: hash(),
    nextValidatorsHash: hash(),
    consensusHash: hash(),
    appHash: hash(),
    lastResultsHash: hash(),
    evidenceHash: hash(),
    proposerAddress: hash(),
  };
  refuseUnless(isWholeHeader(header), 'a field of the header has a size or a value that no header has');
  return header;
}

function readCommit(reader: CanonicalReader): Commit {
  const place = { height: reader.u64(), round: reader.u32(), blockId: readBlockId(reader) };
  return { ...place, signatures: listOf(reader, readSignature) };
}

function writeSignature(writer: CanonicalWriter, one: CommitSignature): void {
  writer.u8(VOTES.indexOf(one.vote));
  if (one.vote === 'absent') return;
  writer.fixed(one.address, ADDRESS_BYTES);
  writeTime(writer, one.timeNs);
  writer.fixed(one.signature, SIGNATURE_BYTES);
}

function readSignature(reader: CanonicalReader): CommitSignature {
  const vote = VOTES[reader.u8()];
  if (vote === undefined) throw new DecodeError('invalid-value', 'there is no such vote');
  if (vote === 'absent') return { vote };
  const address = reader.fixed(ADDRESS_BYTES);
  const timeNs = readTime(reader);
  return { vote, address, timeNs, signature: reader.fixed(SIGNATURE_BYTES) };
}

function readValidator(reader: CanonicalReader): Validator {
  return { publicKey: reader.fixed(HASH_BYTES), power: reader.u64() };
}

function writeTime(writer: CanonicalWriter, timeNs: bigint): void {
  writer.u64(Number(timeNs / NANOSECONDS)).u32(Number(timeNs % NANOSECONDS));
}

function readTime(reader: CanonicalReader): bigint {
  const seconds = BigInt(reader.u64());
  const nanos = BigInt(reader.u32());
  const timeNs = seconds * NANOSECONDS + nanos;
  refuseUnless(nanos < NANOSECONDS && isTime(timeNs), 'a time is out of range');
  return timeNs;
}

function writeBlockId(writer: CanonicalWriter, { hash, parts }: BlockId): void {
  writer.bytes(hash, MAX_HASH_BYTES).u32(parts.total).bytes(parts.hash, MAX_HASH_BYTES);
}

function readBlockId(reader: CanonicalReader): BlockId {
  const hash = reader.bytes(MAX_HASH_BYTES);
  const total = reader.u32();
  return { hash, parts: { total, hash: reader.bytes(MAX_HASH_BYTES) } };
}

function listOf<T>(reader: CanonicalReader, read: (reader: CanonicalReader) => T): readonly T[] {
  const count = reader.u16();
  refuseUnless(count <= MAX_VALIDATORS, 'there are more validators than any consortium has');
  return Array.from({ length: count }, () => read(reader));
}

function refuseUnless(condition: boolean, why: string): void {
  if (!condition) throw new DecodeError('invalid-value', why);
}
