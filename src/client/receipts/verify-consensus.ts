import {
  appHash,
  type BlockHeader,
  type Checkpoint,
  decodeBlockHeader,
  decodeLightBlock,
  type Genesis,
  isBlockBefore,
  type LightBlock,
  trustConsortium,
  type Validator,
  type VerifiedBlock,
  verifyChain,
} from '../../ledger/index.ts';
import { equalBytes } from '../../shared/index.ts';
import { type ConsensusProof, MAX_CHAIN_BLOCKS } from './receipt-format.ts';
import { ProofRefused, refuseUnless } from './refusal.ts';
import { type SigningOrganisation, signingOrganisations } from './signing-organisations.ts';

/** All blocks of a file together: each costs the check of its signatures. */
const MAX_PROOF_BYTES = 768 << 10;
const NANOSECONDS_PER_MS = 1_000_000n;

/** Who decided a head: the signatures in one block of the consensus engine. */
export type VerifiedConsensus = {
  /** The block whose header carries the head. */
  readonly blockHeight: number;
  readonly signers: readonly SigningOrganisation[];
  readonly validatorCount: number;
  readonly power: number;
  readonly totalPower: number;
  /** How many blocks lead from the validators of the genesis to these; 1 where they are the same, or enough of them. */
  readonly steps: number;
};

/**
 * Checks that the validators of a consortium decided a checkpoint: blocks lead from those of the genesis to one whose header carries
 * the hash of exactly this head, and the block before, which gave this head, has the checkpoint's time.
 */
export function verifyConsensus(
  genesis: Genesis,
  checkpoint: Checkpoint,
  proof: ConsensusProof,
): VerifiedConsensus {
  const beginning = trustConsortium(genesis);
  refuseUnless(beginning.ok, 'genesis-malformed');
  refuseUnless(isWithinProofLimits(proof.blocks), 'consensus-malformed');
  const chain = verifyChain(beginning.value, proof.blocks.map(blockOf));
  if (!chain.ok) throw new ProofRefused('consensus-unproven', `(${chain.error})`);
  const decided = chain.value;
  refuseUnless(equalBytes(decided.block.header.appHash, appHash(checkpoint)), 'head-not-decided');
  refuseUnless(timeOf(genesis, decided, proof) === checkpoint.timeMs, 'head-not-decided');
  const { signed, trusted } = decided;
  const validators = signed.signers.map((place) => trusted.validators.validators[place] as Validator);
  return {
    blockHeight: trusted.height,
    signers: signingOrganisations(genesis, checkpoint, validators, proof.validators),
    validatorCount: trusted.validators.validators.length,
    power: signed.power,
    totalPower: signed.totalPower,
    steps: proof.blocks.length,
  };
}

/** Whether so many blocks fit into a receipt. */
export function isWithinProofLimits(blocks: readonly Uint8Array[]): boolean {
  const bytes = blocks.reduce((sum, { length }) => sum + length, 0);
  return blocks.length <= MAX_CHAIN_BLOCKS && bytes <= MAX_PROOF_BYTES;
}

/** The time of the block that gave the head: the one before, which the decided header names by its hash; at first the genesis. */
function timeOf(genesis: Genesis, decided: VerifiedBlock, { blockBefore }: ConsensusProof): number {
  refuseUnless((blockBefore === null) === (decided.trusted.height === 1), 'consensus-malformed');
  if (blockBefore === null) return genesis.timeMs;
  const header = headerOf(blockBefore);
  refuseUnless(isBlockBefore(decided, header), 'consensus-unproven');
  return Number(header.timeNs / NANOSECONDS_PER_MS);
}

function blockOf(bytes: Uint8Array): LightBlock {
  const block = decodeLightBlock(bytes);
  refuseUnless(block.ok, 'consensus-malformed');
  return block.value;
}

function headerOf(bytes: Uint8Array): BlockHeader {
  const header = decodeBlockHeader(bytes);
  refuseUnless(header.ok, 'consensus-malformed');
  return header.value;
}
