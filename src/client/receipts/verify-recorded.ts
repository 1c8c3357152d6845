import {
  type Checkpoint,
  chainIdOf,
  decodeGenesis,
  decodeLogLeaf,
  type Genesis,
  type LogLeaf,
  type VerifierKey,
  verifyCheckpoint,
  type WitnessStatement,
} from '../../ledger/index.ts';
import { equalBytes, leafHash, verifyInclusion } from '../../shared/index.ts';
import type { PayloadPart, RecordedLeaf } from './receipt-format.ts';
import { ProofRefused, refuseUnless } from './refusal.ts';

/**
 * Whom the reader believes. Without `chainId` a receipt is checked against the chain that it names itself, and the verdict says so.
 * The operator's key follows from the chain id, which is the hash of the genesis that names it.
 */
export type Trust = {
  readonly chainId?: Uint8Array;
  readonly witnesses?: readonly VerifierKey[];
  readonly quorum?: number;
};

/** A checkpoint that holds, with the chain it is of. */
export type VerifiedHead = {
  readonly chainId: Uint8Array;
  readonly genesis: Genesis;
  readonly checkpoint: Checkpoint;
  readonly witnesses: readonly WitnessStatement[];
};

export function verifyHead(genesisBytes: Uint8Array, note: string, trust: Trust): VerifiedHead {
  const genesis = decodeGenesis(genesisBytes);
  refuseUnless(genesis.ok, 'genesis-malformed');
  const chainId = chainIdOf(genesis.value);
  refuseUnless(trust.chainId === undefined || equalBytes(trust.chainId, chainId), 'wrong-chain');
  const { witnesses = [], quorum = 0 } = trust;
  const verified = verifyCheckpoint(note, chainId, { operatorKey: genesis.value.operatorKey, witnesses });
  if (!verified.ok) throw new ProofRefused(verified.error);
  if (verified.value.witnesses.length < quorum)
    throw new ProofRefused('quorum-missing', missingText(verified.value.witnesses, witnesses, quorum));
  return { chainId, genesis: genesis.value, ...verified.value };
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
