import { AppError } from '../../shared/index.ts';
import type { ConsensusChain } from './consensus-chain.ts';

/**
 * Votes signed twice are proven with blocks of the last two days (`evidence.max_age_duration`), and blocks are at least 200 ms apart
 * (`consensus.timeout_commit`): 864,000 of them. A node that had forgotten one could not tell whether such a proof is true.
 */
export const MIN_RETAINED_BLOCKS = 1_000_000;

/** Refuses a number of blocks that would leave proofs of misbehaviour without the blocks they speak of. */
export function checkRetainedBlocks(blocks: number | undefined): void {
  if (blocks === undefined || (Number.isSafeInteger(blocks) && blocks >= MIN_RETAINED_BLOCKS)) return;
  throw new AppError(
    'usage',
    `At least ${MIN_RETAINED_BLOCKS} blocks of the consensus engine have to be kept, or all.`,
  );
}

/**
 * The first block that CometBFT has to keep; 0 for all. Blocks after the last one that the ledger recorded are given again at a
 * restart, so they stay, however many. The ledger's own blocks are never forgotten.
 */
export function retainHeightOf(
  {
    consensusHeight,
    recordedConsensusHeight,
  }: Pick<ConsensusChain, 'consensusHeight' | 'recordedConsensusHeight'>,
  blocks: number | undefined,
): number {
  if (blocks === undefined) return 0;
  return Math.max(0, Math.min(consensusHeight - blocks + 1, recordedConsensusHeight));
}
