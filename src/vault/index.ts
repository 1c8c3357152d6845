export type {
  AccessAnchor,
  AccessBatch,
  AccessEntry,
  AccessEntryWrite,
  AccessLog,
  AccessReceipt,
  SignBatch,
} from './access-log/access-log.ts';
export type { AuditedRecord, AuditFinding, AuditProgress } from './audit/finding.ts';
export { verifyBackup } from './backup/manifest.ts';
export type { LedgerOfBackup } from './backup/unmark-later.ts';
export { CATEGORIES, type Category, categoryOfLabels, isCategory } from './category.ts';
export type { ErasedVersions } from './erasure/erased-commitments.ts';
export type { EraseTarget, ErasureRecord, VaultSigner } from './erasure/erasure-record.ts';
export { erasureRecordBytes, erasureRootOf } from './erasure/erasure-record.ts';
export { exactToken, queryTokensForCode, tokensForCode } from './index-tokens/code-tokens.ts';
export { type DateRange, queryTokensForDate, tokensForDateRange } from './index-tokens/date-tokens.ts';
export {
  queryTokensForNumber,
  queryTokensForQuantity,
  tokensForNumber,
  tokensForNumberRange,
  tokensForQuantity,
} from './index-tokens/number-tokens.ts';
export {
  normaliseString,
  queryTokensForString,
  type StringMatchMode,
  tokensForString,
} from './index-tokens/string-tokens.ts';
export {
  anyOf,
  type ComparisonPrefix,
  type IndexToken,
  presentToken,
  type QueryToken,
  type TokenExpression,
  type TokenMatch,
} from './index-tokens/token.ts';
export type { Grants, SealedKey } from './keys/grants.ts';
export { openSealedKey } from './keys/hpke.ts';
export type { KeyProtector, ProtectedKeyName } from './keys/key-protector.ts';
export {
  openPassphraseKeys,
  type PassphraseKeys,
  type PassphraseKeysOptions,
} from './keys/passphrase-keys.ts';
export { replaceFile } from './keys/replace-file.ts';
export { openVault, restoreVault } from './open-vault.ts';
export { createPause } from './pause.ts';
export {
  type FindCursor,
  type FindQuery,
  type HistoryQuery,
  MAX_FIND_LIMIT,
  type PendingCommitment,
  type PutResult,
  type RecordKey,
  type RecordReader,
  type SealedRecord,
  type SealedWrite,
} from './record.ts';
export { recordCommitment } from './records/commitment.ts';
export type {
  Consents,
  EnrolmentCodes,
  GrantedConsent,
  GrantedConsents,
  PatientBinding,
  PatientBindings,
  Pseudonyms,
  Settings,
  StoredConsent,
  UsedIdentifiers,
} from './tables/tables.ts';
export type { Vault, VaultOptions } from './vault.ts';
