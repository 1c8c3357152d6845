export { type AssertionClaims, createAssertion } from './assertion.ts';
export {
  type ConsentSigner,
  consentOpening,
  type SignedConsent,
  type SignedTransaction,
  type SigningPlace,
  signDelegation,
  signGrant,
  signReplacement,
  signRevocation,
} from './consent-transaction.ts';
export { type EnrolmentRequest, enrolmentRequest, type PatientKey, patientKeyOf } from './patient-key.ts';
export { openSealedCopy } from './sealed-copy.ts';
export {
  createWallet,
  type Enrolment,
  openWallet,
  type Wallet,
  type WalletConsent,
  type WalletDelegate,
} from './wallet-file.ts';
