export {
  type AccessAnchor,
  ANCHOR_NONCE_BYTES,
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
export { type Change, type ChangeKind, encodeChange, readChange } from './governance/change.ts';
export { MIN_ACTIVATION_BLOCKS } from './governance/check-change.ts';
export { readMembers } from './governance/members.ts';
export { MAX_OPEN_PROPOSALS, MAX_PROPOSAL_BLOCKS } from './governance/open-proposal.ts';
export {
  encodeOpenProposal,
  isOpenAt,
  openProposalsOf,
  type Proposal,
  type ProposalDraft,
  type ProposalStatus,
  proposalIdOf,
  readOpenProposal,
  readProposal,
  type Vote,
} from './governance/proposal.ts';
export { isCarried, type Tally, tallyOf } from './governance/tally.ts';
export {
  readValidators,
  type Validator,
  type ValidatorUpdate,
  validatorUpdatesOf,
} from './governance/validators.ts';
export {
  encodeVoteOnProposal,
  readVoteOnProposal,
  type VoteOnProposal,
} from './governance/vote-on-proposal.ts';
export {
  encodeWithdrawProposal,
  readWithdrawProposal,
  type WithdrawProposal,
} from './governance/withdraw-proposal.ts';
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
