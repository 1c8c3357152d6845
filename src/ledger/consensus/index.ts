export {
  ADDRESS_BYTES,
  type BlockHeader,
  type BlockId,
  headerHash,
  NO_BLOCK,
} from './block-header.ts';
export {
  type ChainError,
  isBlockBefore,
  isHandedOver,
  verifyChain,
  verifyHandedOver,
} from './chain-proof.ts';
export {
  type Commit,
  type CommitError,
  type CommitPower,
  type CommitSignature,
  verifyCommit,
  voteSignBytes,
} from './commit.ts';
export { type Fork, type ForkError, type ForkKind, forkOf, isRealFork } from './fork.ts';
export { consensusChainName, isConsortium, trustConsortium } from './genesis-validators.ts';
export {
  isExpired,
  type LightBlock,
  type LightError,
  type TrustedBlock,
  type TrustLimits,
  trustGenesis,
  type VerifiedBlock,
  verifyAdjacent,
  verifyNext,
  verifySelf,
  verifySkipping,
} from './light-block.ts';
export {
  decodeBlockHeader,
  decodeLightBlock,
  encodeBlockHeader,
  encodeLightBlock,
  MAX_BLOCK_HEADER_BYTES,
  MAX_LIGHT_BLOCK_BYTES,
} from './light-block-codec.ts';
export { parseCommitAnswer, parseValidatorsAnswer, type ValidatorsPage } from './rpc-answers.ts';
export {
  inConsensusOrder,
  isMoreThan,
  MAX_VALIDATORS,
  type Validator,
  type ValidatorSet,
  validatorAddress,
  validatorSetOf,
} from './validator-set.ts';
