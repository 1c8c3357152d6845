import {
  type Checkpoint,
  chainIdOf,
  decodeGenesis,
  decodeLogLeaf,
  type Genesis,
  isConsortium,
  type LogLeaf,
  type VerifierKey,
  verifyCheckpoint,
  verifyWitnessedCheckpoint,
  type WitnessStatement,
} from '../../ledger/index.ts';
import { equalBytes, leafHash, verifyInclusion } from '../../shared/index.ts';
import type { ConsensusProof, PayloadPart, RecordedLeaf } from './receipt-format.ts';
import { ProofRefused, refuseUnless } from './refusal.ts';
import { type VerifiedConsensus, verifyConsensus } from './verify-consensus.ts';

/**
 * Whom the reader believes. Without `chainId` a receipt is checked against the chain that it names itself, and the verdict says so.
 * The operator's key follows from the chain id, which is the hash of the genesis that names it.
 */
export type Trust = {
  readonly chainId?: Uint8Array;
  readonly witnesses?: readonly VerifierKey[];
  readonly quorum?: number;
  /** What the reader calls the organisations of a consortium, by account id in hexadecimal. */
  readonly organisationNames?: ReadonlyMap<string, string>;
};

/** A checkpoint that holds, with the chain it is of. */
export type VerifiedHead = {
  readonly chainId: Uint8Array;
  readonly genesis: Genesis;
  readonly checkpoint: Checkpoint;
  readonly witnesses: readonly WitnessStatement[];
  /** Who decided it; undefined where an operator signs. */
  readonly consensus: VerifiedConsensus | undefined;
};

/** What a file says of its head. */
type ShownHead = {
  readonly genesis: Uint8Array;
  readonly checkpoint: string;
  readonly consensus?: ConsensusProof;
};

/** A chain's genesis decides whose signatures count: those of its validators where it has any, else the operator's. */
export function verifyHead(
  { genesis: genesisBytes, checkpoint: note, consensus }: ShownHead,
  trust: Trust,
): VerifiedHead {
  const genesis = decodeGenesis(genesisBytes);
  refuseUnless(genesis.ok, 'genesis-malformed');
  const chainId = chainIdOf(genesis.value);
  refuseUnless(trust.chainId === undefined || equalBytes(trust.chainId, chainId), 'wrong-chain');
  const { witnesses = [], quorum = 0 } = trust;
  const isDecided = isConsortium(genesis.value);
  refuseUnless(isDecided || consensus === undefined, 'consensus-unexpected');
  refuseUnless(!isDecided || consensus !== undefined, 'consensus-missing');
  const verified = isDecided
    ? verifyWitnessedCheckpoint(note, chainId, { witnesses })
    : verifyCheckpoint(note, chainId, { operatorKey: genesis.value.operatorKey, witnesses });
  if (!verified.ok) throw new ProofRefused(verified.error);
  if (verified.value.witnesses.length < quorum)
    throw new ProofRefused('quorum-missing', missingText(verified.value.witnesses, witnesses, quorum));
  const decided = consensus && verifyConsensus(genesis.value, verified.value.checkpoint, consensus);
  return { chainId, genesis: genesis.value, ...verified.value, consensus: decided };
}

function missingText(
  signed: readonly WitnessStatement[],
  asked: readonly VerifierKey[],
  quorum: number,
): string {
  const names = signed.map(({ name }) => name);
  const missing = asked.map(({ name }) => name).filter((name) => !names.includes(name));
  const who = names.length === 0 ? 'none' : `${names.length}`;
  return `Of the ${quorum} that you require, ${who} co-signed${names.length === 0 ? '' : `: ${names.join(', ')}`}; missing: ${missing.join(', ') || 'nobody you named'}.`;
}

/** The leaf must be in the checkpoint's log, of this chain, and recorded no later than the checkpoint. */
export function verifyRecorded(recorded: RecordedLeaf, head: VerifiedHead): LogLeaf {
  const leaf = decodeLogLeaf(recorded.leaf);
  refuseUnless(leaf.ok, 'leaf-malformed');
  const { logSize, logRoot, height } = head.checkpoint;
  refuseUnless(
    verifyInclusion(leafHash(recorded.leaf), recorded.index, logSize, recorded.path, logRoot),
    'leaf-not-in-log',
  );
  refuseUnless(equalBytes(leaf.value.header.chainId, head.chainId), 'wrong-chain');
  refuseUnless(leaf.value.height <= height, 'leaf-malformed');
  return leaf.value;
}

export function verifyPart(part: PayloadPart, leaf: LogLeaf): void {
  const isIncluded = verifyInclusion(
    leafHash(part.bytes),
    part.index,
    part.count,
    part.path,
    leaf.header.payloadRoot,
  );
  refuseUnless(isIncluded, 'payload-mismatch');
}
