export { AppError, ERROR_TABLE, type ErrorCode, type ErrorEntry } from './app-error.ts';
export { AssertionError, assert, unreachable } from './assert.ts';
export {
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
} from './bytes.ts';
export { canonicalJson } from './canonical-json.ts';
export { CanonicalReader, DecodeError, type DecodeErrorCode } from './canonical-reader.ts';
export { CanonicalWriter } from './canonical-writer.ts';
export { MerkleLog } from './merkle/merkle-log.ts';
export { EMPTY_TREE_ROOT, leafHash, nodeHash, treeRoot } from './merkle/tree.ts';
export { verifyConsistency, verifyInclusion } from './merkle/verify.ts';
export { jsonDepthExceeds, MAX_JSON_DEPTH, parseJson } from './parse-json.ts';
export { normalPassphrase, passphraseForms } from './passphrase.ts';
export {
  type BoxPlace,
  contentBinding,
  dataKeyBinding,
  metaBinding,
  sealedKeyBinding,
} from './record-binding.ts';
export { type CommittedVersion, recordCommitment } from './record-commitment.ts';
export { err, ok, type Result } from './result.ts';
export {
  encodeSealedCopy,
  MAX_SEALED_COPY_BYTES,
  parseSealedCopy,
  type SealedCopy,
} from './sealed-copy.ts';
export { SHA256_BYTES, sha256, sha256Concat } from './sha256.ts';
