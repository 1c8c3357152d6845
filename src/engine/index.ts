export { type CheckedTransaction, type VerifyLedgerOptions, verifyLedgerFolder } from './audit.ts';
export { restoreBackup, verifyBackup } from './backup.ts';
export {
  type BackupFile,
  type BackupManifest,
  MANIFEST_FILE,
  readManifest,
  verifyManifest,
  writeManifest,
} from './backup-manifest.ts';
export type { Recovery } from './block-log.ts';
export { type AbciAddress, proxyAppOf } from './cometbft/abci/abci-server.ts';
export {
  type CometBftEngine,
  type CometBftEngineOptions,
  openCometBftEngine,
} from './cometbft/cometbft-engine.ts';
export {
  configureHome,
  consensusGenesis,
  createHome,
  type HomeSettings,
  type ValidatorCard,
} from './cometbft/cometbft-home.ts';
export {
  type CometBftProcess,
  runCometBft,
} from './cometbft/cometbft-process.ts';
export { consensusHeightOf } from './cometbft/consensus-head.ts';
export { COMETBFT_VERSION, findCometBft } from './cometbft/find-cometbft.ts';
export { type DamagePlace, LedgerDamageError } from './damage.ts';
export { type EmbeddedEngineOptions, openEmbeddedEngine } from './embedded-engine.ts';
export type {
  CommitListener,
  Committed,
  Engine,
  Head,
  RecordedBlock,
  RecordedTransaction,
  StateAnswer,
} from './engine.ts';
export type { Finding, FindingCode } from './finding.ts';
export { type FolderLock, lockFolder } from './folder-lock.ts';
export { TransactionRefusedError } from './transaction-refused.ts';
