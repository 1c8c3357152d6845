export {
  accessEntryReceipt,
  accountKeyReceipt,
  consentReceipt,
  headReceipt,
  type ReceiptHead,
  type RecordedTransaction,
  recordVersionReceipt,
  type StateEvidence,
  stateReceipt,
  transactionReceipt,
} from './build-receipt.ts';
export { concealReceipt, discloseConsent, discloseRecord } from './disclose.ts';
export {
  type AccountKeyProof,
  type ConsensusProof,
  MAX_RECEIPT_CHARACTERS,
  MAX_ROTATIONS,
  parseReceipt,
  RECEIPT_FORMAT,
  type Receipt,
  type ReceiptKind,
  type RecordedLeaf,
  type RecordOpening,
  type StateSubject,
} from './receipt-format.ts';
export { REFUSALS, type RefusalCode } from './refusal.ts';
export { type SigningOrganisation, VALIDATORS_ROW } from './signing-organisations.ts';
export { verifyCheckpointNote } from './verify-checkpoint-file.ts';
export { isWithinProofLimits, type VerifiedConsensus } from './verify-consensus.ts';
export { formatPromiseCase, type PromiseCase, verifyPromiseCase } from './verify-promise.ts';
export { type ProofVerdict, type RefusedProof, type VerifiedProof, verifyReceipt } from './verify-receipt.ts';
export type { Trust } from './verify-recorded.ts';
export { parseStateSubject, stateKeyOf } from './verify-state.ts';
export { type FileTrust, verifyText } from './verify-text.ts';
