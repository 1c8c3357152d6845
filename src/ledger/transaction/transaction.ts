import { signMessage } from '../../identity/index.ts';
import {
  CanonicalReader,
  CanonicalWriter,
  concatBytes,
  DecodeError,
  equalBytes,
  err,
  leafHash,
  ok,
  type Result,
  sha256,
  treeRoot,
  utf8,
} from '../../shared/index.ts';

export const TRANSACTION_VERSION = 1;
export const MAX_TRANSACTION_BYTES = 1 << 20;
export const MAX_PARTS = 4096;
export const HEADER_BYTES = 1 + 32 + 1 + 1 + 32 + 8 + 8 + 32;
const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;
const SIGNING_DOMAIN = utf8('careledger/tx/v1\0');

/** What a signer signs: `HEADER_BYTES` bytes, whatever the payload's size. */
export type TransactionHeader = {
  readonly version: number;
  /** SHA-256 of the genesis; a transaction is valid on one chain only. */
  readonly chainId: Uint8Array;
  readonly contract: number;
  readonly action: number;
  /** The signer's account id. */
  readonly signer: Uint8Array;
  readonly sequence: number;
  /** The last height at which the transaction may still enter a block. */
  readonly lastValidHeight: number;
  /** RFC 9162 root over the payload's parts, so that one part can be shown without the others (docs/adr/0001). */
  readonly payloadRoot: Uint8Array;
};

export type Transaction = {
  readonly header: TransactionHeader;
  readonly parts: readonly Uint8Array[];
  readonly signature: Uint8Array;
};

export type TransactionDraft = Omit<TransactionHeader, 'version' | 'payloadRoot'> & {
  readonly parts: readonly Uint8Array[];
};

export function payloadRootOf(parts: readonly Uint8Array[]): Uint8Array {
  return treeRoot(parts.map(leafHash));
}

export function encodeHeader(header: TransactionHeader): Uint8Array {
  return new CanonicalWriter()
    .u8(header.version)
    .fixed(header.chainId, HASH_BYTES)
    .u8(header.contract)
    .u8(header.action)
    .fixed(header.signer, HASH_BYTES)
    .u64(header.sequence)
    .u64(header.lastValidHeight)
    .fixed(header.payloadRoot, HASH_BYTES)
    .finish();
}

export function readHeader(reader: CanonicalReader): TransactionHeader {
  const version = reader.u8();
  if (version !== TRANSACTION_VERSION)
    throw new DecodeError('invalid-value', `transaction version ${version} is not known`);
  return {
    version,
    chainId: reader.fixed(HASH_BYTES),
    contract: reader.u8(),
    action: reader.u8(),
    signer: reader.fixed(HASH_BYTES),
    sequence: reader.u64(),
    lastValidHeight: reader.u64(),
    payloadRoot: reader.fixed(HASH_BYTES),
  };
}

/** The bytes under the signature: a domain, then the header. */
export function signingBytes(header: TransactionHeader): Uint8Array {
  return concatBytes(SIGNING_DOMAIN, encodeHeader(header));
}

/** Names a transaction by what was signed, so that a second signature over the same header is the same transaction. */
export function transactionId(header: TransactionHeader): Uint8Array {
  return sha256(signingBytes(header));
}

/** The id of a transaction that is known to decode: its header stands at its beginning, as it was signed. */
export function encodedTransactionId(bytes: Uint8Array): Uint8Array {
  return sha256(concatBytes(SIGNING_DOMAIN, bytes.subarray(0, HEADER_BYTES)));
}

export function encodeTransaction(transaction: Transaction): Uint8Array {
  const writer = new CanonicalWriter()
    .fixed(encodeHeader(transaction.header), HEADER_BYTES)
    .fixed(transaction.signature, SIGNATURE_BYTES)
    .u16(transaction.parts.length);
  for (const part of transaction.parts) writer.bytes(part, MAX_TRANSACTION_BYTES);
  return writer.finish();
}

/** Total: every byte string is a transaction or an error, and the parts are those the header's root names. */
export function decodeTransaction(bytes: Uint8Array): Result<Transaction, DecodeError> {
  try {
    if (bytes.length > MAX_TRANSACTION_BYTES)
      throw new DecodeError('too-long', `a transaction has at most ${MAX_TRANSACTION_BYTES} bytes`);
    return ok(readTransaction(new CanonicalReader(bytes)));
  } catch (error) {
    if (error instanceof DecodeError) return err(error);
    throw error;
  }
}

function readTransaction(reader: CanonicalReader): Transaction {
  const header = readHeader(reader);
  const signature = reader.fixed(SIGNATURE_BYTES);
  const count = reader.u16();
  if (count === 0 || count > MAX_PARTS)
    throw new DecodeError('invalid-value', `a payload has 1 to ${MAX_PARTS} parts`);
  const parts = Array.from({ length: count }, () => reader.bytes(MAX_TRANSACTION_BYTES));
  reader.end();
  if (!equalBytes(payloadRootOf(parts), header.payloadRoot))
    throw new DecodeError('invalid-value', 'the payload is not the one that was signed');
  return { header, parts, signature };
}

export function signTransaction(draft: TransactionDraft, seed: Uint8Array): Transaction {
  const { parts, ...fields } = draft;
  const header = { ...fields, version: TRANSACTION_VERSION, payloadRoot: payloadRootOf(parts) };
  return { header, parts, signature: signMessage(seed, signingBytes(header)) };
}
