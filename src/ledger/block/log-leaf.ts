import { CanonicalReader, CanonicalWriter, DecodeError, err, ok, type Result } from '../../shared/index.ts';
import { RESULT_CODES, type ResultCode, resultName, type TransactionResult } from '../result-codes.ts';
import {
  encodeHeader,
  HEADER_BYTES,
  readHeader,
  type Transaction,
  type TransactionHeader,
} from '../transaction/transaction.ts';

const SIGNATURE_BYTES = 64;

/** One entry of the history: the signed header of a transaction, where it stands, and what became of it. */
export type LogLeaf = {
  readonly height: number;
  readonly index: number;
  readonly timeMs: number;
  readonly header: TransactionHeader;
  readonly signature: Uint8Array;
  readonly result: TransactionResult;
};

export type LeafPlace = { readonly height: number; readonly index: number; readonly timeMs: number };

/** The leaf's bytes; the RFC 9162 leaf hash is taken over them. The payload is in it through the header's root. */
export function logLeaf(place: LeafPlace, transaction: Transaction, result: TransactionResult): Uint8Array {
  return new CanonicalWriter()
    .u64(place.height)
    .u32(place.index)
    .u64(place.timeMs)
    .fixed(encodeHeader(transaction.header), HEADER_BYTES)
    .fixed(transaction.signature, SIGNATURE_BYTES)
    .u16(result.code)
    .finish();
}

export function decodeLogLeaf(bytes: Uint8Array): Result<LogLeaf, DecodeError> {
  try {
    const reader = new CanonicalReader(bytes);
    const place = { height: reader.u64(), index: reader.u32(), timeMs: reader.u64() };
    const leaf = {
      ...place,
      header: readHeader(reader),
      signature: reader.fixed(SIGNATURE_BYTES),
      result: { code: knownCode(reader.u16()) },
    };
    reader.end();
    return ok(leaf);
  } catch (error) {
    if (error instanceof DecodeError) return err(error);
    throw error;
  }
}

function knownCode(code: number): ResultCode {
  const name = resultName(code);
  if (name === undefined) throw new DecodeError('invalid-value', `result code ${code} is not known`);
  return RESULT_CODES[name];
}
