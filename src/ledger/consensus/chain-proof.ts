import { equalBytes, err, ok, type Result } from '../../shared/index.ts';
import { type BlockHeader, headerHash, isWholeHeader } from './block-header.ts';
import { trustedPower } from './commit.ts';
import {
  type LightBlock,
  type LightError,
  type TrustedBlock,
  type VerifiedBlock,
  verifyNext,
} from './light-block.ts';
import { isMoreThan } from './validator-set.ts';

export type ChainError = LightError | 'chain-empty';

/**
 * Verifies a later block from an earlier one by the blocks between, without a clock. Every step is the next block, or one that more
 * than two thirds of the trusted power signed. A third would do while those validators are at stake (verifySkipping); nobody knows
 * offline whether they still are, so each set has to hand over as it decides.
 */
export function verifyChain(
  anchor: TrustedBlock,
  blocks: readonly LightBlock[],
): Result<VerifiedBlock, ChainError> {
  let trusted = anchor;
  let last: VerifiedBlock | undefined;
  for (const block of blocks) {
    const verified = verifyHandedOver(trusted, block);
    if (!verified.ok) return verified;
    last = verified.value;
    trusted = last.trusted;
  }
  return last === undefined ? err('chain-empty') : ok(last);
}

/** One step of verifyChain. */
export function verifyHandedOver(
  trusted: TrustedBlock,
  block: LightBlock,
): Result<VerifiedBlock, LightError> {
  const verified = verifyNext(trusted, block, undefined);
  if (!verified.ok || block.header.height === trusted.height + 1) return verified;
  return isHandedOver(trusted, verified.value) ? verified : err('trusted-power-missing');
}

/** Whether more than two thirds of the power of one block's validators signed a later one, which was verified already. */
export function isHandedOver(
  { validators }: TrustedBlock,
  { signed, trusted: later }: VerifiedBlock,
): boolean {
  const power = trustedPower(validators, later.validators, signed.signers);
  return isMoreThan(power, 2, 3, validators.totalPower);
}

/** Whether a header is of the block before a verified one, which names it by its hash. */
export function isBlockBefore(verified: VerifiedBlock, header: BlockHeader): boolean {
  return (
    isWholeHeader(header) &&
    header.height === verified.block.header.height - 1 &&
    header.chainName === verified.trusted.chainName &&
    equalBytes(headerHash(header), verified.block.header.lastBlockId.hash)
  );
}
