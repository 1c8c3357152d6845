export {
  type AccessAnchor,
  accessAnchorKey,
  decodeRecordedAnchor,
  encodeAnchorAccessLog,
  type RecordedAnchor,
  readAccessAnchor,
  readAnchor,
} from './access/anchor-access-log.ts';
export type { ConsentChange } from './consent/change-check.ts';
export {
  consentKey,
  decodeConsent,
  delegateKey,
  isDelegate,
  type LedgerConsent,
  mayChangeConsentOf,
  readConsent,
} from './consent/consent-state.ts';
export * from './consent/decision/index.ts';
export { type Delegation, encodeDelegation, readDelegation } from './consent/delegation.ts';
export { encodeGrantConsent, type GrantConsent, readGrantConsent } from './consent/grant-consent.ts';
export { encodeReplaceConsent, type ReplaceConsent, readReplaceConsent } from './consent/replace-consent.ts';
export { encodeRevokeConsent, readRevokeConsent } from './consent/revoke-consent.ts';
export { CONTRACT } from './contract-ids.ts';
export { ACTIONS, type ActionName, actionName, CONTRACTS } from './contract-table.ts';
export {
  encodeRecordErasure,
  erasureKey,
  type RecordErasure,
  readRecordErasure,
} from './erasure/record-erasure.ts';
export { decodeSinglePart } from './payload.ts';
export {
  authorMessage,
  type CommitVersions,
  decodeCommitVersions,
  encodeCommitVersions,
  encodeRecordEntry,
  MAX_BATCH_ENTRIES,
  type RecordEntry,
  readRecordEntry,
  signAsAuthor,
} from './records/commit-versions.ts';
export {
  extendRecordChain,
  NO_PATIENT,
  type RecordChain,
  readRecordChain,
  recordChainKey,
} from './records/record-chain.ts';
export { genesisState } from './registry/genesis-state.ts';
export {
  createParty,
  decodeParty,
  isActiveOrganisation,
  type Party,
  type PartyKind,
  partyKey,
  readParty,
} from './registry/party.ts';
export {
  encodeRegistration,
  possessionMessage,
  provePossession,
  type Registration,
  readRegistration,
} from './registry/registration.ts';
export { ROLES, type Role, roleName } from './registry/role.ts';
export { encodeRotateKey, type RotateKey, readRotateKey } from './registry/rotate-key.ts';
export { encodeSuspension, readSuspension, type Suspension } from './registry/suspension.ts';
