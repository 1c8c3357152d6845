import { accountIdOf, parsePublicKey, verifySignature } from '../../identity/index.ts';
import {
  accountKey,
  type Checkpoint,
  chainIdOf,
  decodeGenesis,
  decodeLogLeaf,
  type Genesis,
  type LogLeaf,
  readAccount,
  signingBytes,
  type VerifierKey,
  verifyCheckpoint,
  verifyStateProof,
  type WitnessStatement,
} from '../../ledger/index.ts';
import { equalBytes, leafHash, verifyInclusion } from '../../shared/index.ts';
import type { PayloadPart, ReceiptSigner, RecordedLeaf } from './receipt-format.ts';
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

/** Who signed a recorded transaction: shown by the key, or only said by the operator. */
export type SignerProof = 'key-is-account' | 'key-in-state' | 'not-shown';

export function verifyHead(genesisBytes: Uint8Array, note: string, trust: Trust): VerifiedHead {
  const genesis = decodeGenesis(genesisBytes);
  refuseUnless(genesis.ok, 'genesis-malformed');
  const chainId = chainIdOf(genesis.value);
  refuseUnless(trust.chainId === undefined || equalBytes(trust.chainId, chainId), 'wrong-chain');
  const verified = verifyCheckpoint(note, chainId, {
    operatorKey: genesis.value.operatorKey,
    witnesses: trust.witnesses ?? [],
    quorum: trust.quorum ?? 0,
  });
  if (!verified.ok) throw new ProofRefused(verified.error);
  return { chainId, genesis: genesis.value, ...verified.value };
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

/** Checks the signature under the leaf, and that its key is the account's: by its id, or by the state of the checkpoint. */
export function verifySigner(leaf: LogLeaf, signer: ReceiptSigner | null, head: VerifiedHead): SignerProof {
  if (signer === null) return 'not-shown';
  const key = parsePublicKey(signer.publicKey);
  refuseUnless(key.ok, 'signer-unproven');
  refuseUnless(verifySignature(key.value, signingBytes(leaf.header), leaf.signature), 'signature-invalid');
  if (signer.account === null) {
    refuseUnless(equalBytes(accountIdOf(key.value), leaf.header.signer), 'signer-unproven');
    return 'key-is-account';
  }
  const { value, proof } = signer.account;
  const place = accountKey(leaf.header.signer);
  refuseUnless(verifyStateProof(head.checkpoint.stateRoot, place, value, proof), 'signer-unproven');
  const account = readAccount({ get: () => value }, leaf.header.signer);
  refuseUnless(account !== undefined && equalBytes(account.publicKey, key.value), 'signer-unproven');
  return 'key-in-state';
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
