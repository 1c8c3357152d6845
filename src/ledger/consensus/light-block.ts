import { equalBytes, err, ok, type Result } from '../../shared/index.ts';
import { type BlockHeader, headerHash, isWholeHeader } from './block-header.ts';
import { type Commit, type CommitError, type CommitPower, trustedPower, verifyCommit } from './commit.ts';
import { isMoreThan, type Validator, type ValidatorSet, validatorSetOf } from './validator-set.ts';

const NANOSECONDS_PER_MS = 1_000_000n;

/** A header with what proves it: the commit, and the validators that the header names by their hash. */
export type LightBlock = {
  readonly header: BlockHeader;
  readonly commit: Commit;
  readonly validators: readonly Validator[];
};

/** What is believed already, and from which further blocks are verified. */
export type TrustedBlock = {
  readonly chainName: string;
  readonly height: number;
  readonly timeNs: bigint;
  readonly validators: ValidatorSet;
  readonly nextValidatorsHash: Uint8Array;
  /** Undefined for the beginning of the chain, which is no block. */
  readonly hash: Uint8Array | undefined;
};

/** How far trust reaches in time. */
export type TrustLimits = {
  readonly nowMs: number;
  /** A block older than this is no ground to trust another: its validators may have left and risk nothing by signing. */
  readonly trustingPeriodMs: number;
  /** How far ahead of our clock the validators' may be. */
  readonly maxClockDriftMs: number;
};

export type LightError =
  | CommitError
  | 'header-malformed'
  | 'validators-malformed'
  | 'validators-mismatch'
  | 'wrong-chain-name'
  | 'not-adjacent'
  | 'height-not-after'
  | 'time-not-after'
  | 'from-the-future'
  | 'trust-expired'
  | 'trusted-power-missing';

export type VerifiedBlock = {
  readonly trusted: TrustedBlock;
  readonly block: LightBlock;
  readonly signed: CommitPower;
};

/** Trust in a chain's beginning: its validators decide the first block, at the time that the genesis says. */
export function trustGenesis(
  chainName: string,
  timeMs: number,
  validators: readonly Validator[],
): Result<TrustedBlock, LightError> {
  const set = validatorSetOf(validators);
  if (!set.ok) return set;
  const timeNs = BigInt(timeMs) * NANOSECONDS_PER_MS;
  return ok({
    chainName,
    height: 0,
    timeNs,
    validators: set.value,
    nextValidatorsHash: set.value.hash,
    hash: undefined,
  });
}

/** Whether a light block is consistent in itself: its own validators decided it. It says nothing of who these are. */
export function verifySelf(block: LightBlock, chainName: string): Result<VerifiedBlock, LightError> {
  const { header, commit } = block;
  if (!isWholeHeader(header)) return err('header-malformed');
  if (header.chainName !== chainName) return err('wrong-chain-name');
  const set = validatorSetOf(block.validators);
  if (!set.ok) return set;
  if (!equalBytes(set.value.hash, header.validatorsHash)) return err('validators-mismatch');
  const hash = headerHash(header);
  const signed = verifyCommit(set.value, chainName, { height: header.height, hash }, commit);
  if (!signed.ok) return signed;
  const { height, timeNs, nextValidatorsHash } = header;
  const trusted = { chainName, height, timeNs, validators: set.value, nextValidatorsHash, hash };
  return ok({ trusted, block, signed: signed.value });
}

/** light.VerifyAdjacent: the next block, by the validators that the trusted one names for it. */
export function verifyAdjacent(
  trusted: TrustedBlock,
  block: LightBlock,
  limits: TrustLimits | undefined,
): Result<VerifiedBlock, LightError> {
  if (block.header.height !== trusted.height + 1) return err('not-adjacent');
  const error = timeError(trusted, block.header, limits);
  if (error !== undefined) return err(error);
  if (!equalBytes(block.header.validatorsHash, trusted.nextValidatorsHash)) return err('validators-mismatch');
  if (trusted.hash !== undefined && !equalBytes(block.header.lastBlockId.hash, trusted.hash))
    return err('wrong-block');
  return verifySelf(block, trusted.chainName);
}

/**
 * light.VerifyNonAdjacent: a later block whatever its validators are, when more than one third of the trusted power signed it. At
 * least one of those is honest as long as less than a third is not, and an honest validator signs only what consensus decided.
 */
export function verifySkipping(
  trusted: TrustedBlock,
  block: LightBlock,
  limits: TrustLimits | undefined,
): Result<VerifiedBlock, LightError> {
  if (block.header.height <= trusted.height) return err('height-not-after');
  const error = timeError(trusted, block.header, limits);
  if (error !== undefined) return err(error);
  const verified = verifySelf(block, trusted.chainName);
  if (!verified.ok) return verified;
  const { signed, trusted: next } = verified.value;
  const power = trustedPower(trusted.validators, next.validators, signed.signers);
  return isMoreThan(power, 1, 3, trusted.validators.totalPower) ? verified : err('trusted-power-missing');
}

/** The one of both that the heights ask for. */
export function verifyNext(
  trusted: TrustedBlock,
  block: LightBlock,
  limits: TrustLimits | undefined,
): Result<VerifiedBlock, LightError> {
  return block.header.height === trusted.height + 1
    ? verifyAdjacent(trusted, block, limits)
    : verifySkipping(trusted, block, limits);
}

/** light.HeaderExpired: at the end of the period it is too late. */
export function isExpired(trusted: Pick<TrustedBlock, 'timeNs'>, limits: TrustLimits): boolean {
  return trusted.timeNs + nanoseconds(limits.trustingPeriodMs) <= nanoseconds(limits.nowMs);
}

/**
 * Time goes on from block to block; only the first block has the time of the genesis itself (BFT time). Without limits no clock is
 * asked, and whoever calls says that to the reader.
 */
function timeError(
  trusted: TrustedBlock,
  header: BlockHeader,
  limits: TrustLimits | undefined,
): LightError | undefined {
  if (limits !== undefined && isExpired(trusted, limits)) return 'trust-expired';
  const isFirst = trusted.height === 0 && header.height === 1;
  if (isFirst ? header.timeNs < trusted.timeNs : header.timeNs <= trusted.timeNs) return 'time-not-after';
  if (limits === undefined) return undefined;
  const latest = nanoseconds(limits.nowMs) + nanoseconds(limits.maxClockDriftMs);
  return header.timeNs >= latest ? 'from-the-future' : undefined;
}

function nanoseconds(ms: number): bigint {
  return BigInt(ms) * NANOSECONDS_PER_MS;
}
