import { equalBytes, err, ok, type Result, toHex } from '../../shared/index.ts';
import type { BlockHeader } from './block-header.ts';
import { isSameDecision, powerOf, trustedPower } from './commit.ts';
import { type LightBlock, type LightError, type VerifiedBlock, verifySelf } from './light-block.ts';
import { isMoreThan, type Validator } from './validator-set.ts';

/**
 * Two blocks of one height, each with its commit.
 * `equivocation`: in one round, so whoever is in both commits signed twice, which no honest validator does.
 * `amnesia`: in different rounds, so whoever is in both may have forgotten a lock; the votes of the rounds between would show who.
 * `lunatic`: the second block's header does not follow from the chain's state, so whoever signed it did wrong, once or twice.
 */
export type ForkKind = 'equivocation' | 'amnesia' | 'lunatic';

export type Fork = {
  readonly kind: ForkKind;
  readonly height: number;
  readonly rounds: readonly [number, number];
  readonly hashes: readonly [Uint8Array, Uint8Array];
  /** In both commits, with their power in the first block's set. More than a third of it whenever the sets are the same. */
  readonly signedBoth: readonly Validator[];
  readonly signedBothPower: number;
  /** Of the first block's set, how much power signed the second block. */
  readonly conflictingPower: number;
  readonly totalPower: number;
};

export type ForkError = LightError | 'no-conflict';

/**
 * What two conflicting blocks of one height show. Every signature is checked, so that nobody can be named by somebody else; which of
 * the blocks the chain went on from is for the caller to know: the first is the one it trusts.
 */
export function forkOf(
  trusted: LightBlock,
  conflicting: LightBlock,
  chainName: string,
): Result<Fork, ForkError> {
  const first = verifySelf(trusted, chainName);
  if (!first.ok) return first;
  const second = verifySelf(conflicting, chainName);
  if (!second.ok) return second;
  if (trusted.header.height !== conflicting.header.height) return err('no-conflict');
  if (isSameDecision(trusted.commit, conflicting.commit)) return err('no-conflict');
  const places = placesInBoth(first.value, second.value);
  const { validators } = first.value.trusted;
  return ok({
    kind: kindOf(trusted, conflicting),
    height: trusted.header.height,
    rounds: [trusted.commit.round, conflicting.commit.round],
    hashes: [trusted.commit.blockId.hash, conflicting.commit.blockId.hash],
    signedBoth: places.map((place) => validators.validators[place] as Validator),
    signedBothPower: powerOf(validators, places),
    conflictingPower: trustedPower(validators, second.value.trusted.validators, second.value.signed.signers),
    totalPower: validators.totalPower,
  });
}

/**
 * Whether validators of the first block's set, with more than a third of its power, signed the second one. Anybody can make a block
 * that only holds in itself, with keys that were never validators.
 */
export function isRealFork({ conflictingPower, totalPower }: Fork): boolean {
  return isMoreThan(conflictingPower, 1, 3, totalPower);
}

function kindOf(trusted: LightBlock, conflicting: LightBlock): ForkKind {
  if (!hasSameState(trusted.header, conflicting.header)) return 'lunatic';
  return trusted.commit.round === conflicting.commit.round ? 'equivocation' : 'amnesia';
}

/** types.LightClientAttackEvidence.ConflictingHeaderIsInvalid: the fields that the state before decides. */
function hasSameState(left: BlockHeader, right: BlockHeader): boolean {
  return (
    equalBytes(left.validatorsHash, right.validatorsHash) &&
    equalBytes(left.nextValidatorsHash, right.nextValidatorsHash) &&
    equalBytes(left.consensusHash, right.consensusHash) &&
    equalBytes(left.appHash, right.appHash) &&
    equalBytes(left.lastResultsHash, right.lastResultsHash)
  );
}

function placesInBoth(first: VerifiedBlock, second: VerifiedBlock): readonly number[] {
  const { validators } = second.trusted;
  const signers = new Set(second.signed.signers);
  return first.signed.signers.filter((place) => {
    const address = toHex(first.trusted.validators.addresses[place] as Uint8Array);
    return signers.has(validators.places.get(address) ?? -1);
  });
}
