export { type Account, accountKey, readAccount, writeAccount } from './account.ts';
export {
  type Admission,
  type AdmissionRules,
  admit,
  MAX_VALID_BLOCKS,
  readSigner,
  type VerifySignature,
} from './block/admit.ts';
export { type AppState, appHash } from './block/app-hash.ts';
export {
  type Block,
  decodeBlock,
  encodeBlock,
  MAX_BLOCK_BYTES,
  MAX_BLOCK_TRANSACTIONS,
} from './block/block.ts';
export {
  type ActionContext,
  type ContractAction,
  type ContractTable,
  type OpenedAction,
  type SealedAction,
  sealAction,
} from './block/contract-action.ts';
export { type BlockInput, type BlockOutput, executeBlock } from './block/execute-block.ts';
export { decodeLogLeaf, type LeafPlace, type LogLeaf, logLeaf } from './block/log-leaf.ts';
export * from './checkpoint/index.ts';
export * from './consensus/index.ts';
export {
  chainIdOf,
  decodeGenesis,
  encodeGenesis,
  type Genesis,
  type GenesisValidator,
  stoppableByOne,
} from './genesis.ts';
export * from './promise/index.ts';
export {
  FIRST_VERSION,
  requireKnownVersion,
  scheduleVersion,
  type VersionStart,
  versionAt,
  versionSchedule,
} from './protocol-version.ts';
export {
  RESULT_CODES,
  type ResultCode,
  type ResultName,
  resultName,
  type TransactionResult,
} from './result-codes.ts';
export { EMPTY_STATE_ROOT } from './state/state-hash.ts';
export { type StateReader, type StateWrite, type StateWriter, stateKey } from './state/state-key.ts';
export { createOverlay, type StateOverlay } from './state/state-overlay.ts';
export { type StateProof, verifyStateProof } from './state/state-proof.ts';
export { type StagedState, StateTree } from './state/state-tree.ts';
export {
  decodeTransaction,
  encodedTransactionId,
  encodeTransaction,
  HEADER_BYTES,
  MAX_PARTS,
  MAX_TRANSACTION_BYTES,
  payloadRootOf,
  signingBytes,
  signTransaction,
  TRANSACTION_VERSION,
  type Transaction,
  type TransactionDraft,
  type TransactionHeader,
  transactionId,
} from './transaction/transaction.ts';
