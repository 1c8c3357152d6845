import { verifySignature } from '../../identity/index.ts';
import { equalBytes, err, ok, type Result, toHex } from '../../shared/index.ts';
import {
  type BlockId,
  encodeBlockId,
  encodeTime,
  equalBlockIds,
  isHeight,
  isRound,
  isTime,
  isWholeBlockId,
} from './block-header.ts';
import { lengthDelimited, ProtobufWriter } from './protobuf-writer.ts';
import { isMoreThan, type ValidatorSet } from './validator-set.ts';

/** tendermint.types.SignedMsgType. */
const PRECOMMIT = 2;
const SIGNATURE_BYTES = 64;

/** What one validator of the set did: nothing, a precommit for the block, or one for no block. */
export type CommitSignature =
  | { readonly vote: 'absent' }
  | {
      readonly vote: 'commit' | 'nil';
      readonly address: Uint8Array;
      readonly timeNs: bigint;
      readonly signature: Uint8Array;
    };

/** The precommits that decided a block, one place for each validator in the set's order (types.Commit). */
export type Commit = {
  readonly height: number;
  readonly round: number;
  readonly blockId: BlockId;
  readonly signatures: readonly CommitSignature[];
};

/** Whose signatures a commit carries, by their places in the set. */
export type CommitPower = {
  readonly signers: readonly number[];
  readonly power: number;
  readonly totalPower: number;
};

export type CommitError =
  | 'commit-malformed'
  | 'wrong-block'
  | 'unknown-validator'
  | 'signature-invalid'
  | 'power-missing';

/** types.Commit.VoteSignBytes: what a validator signs when it precommits to a block, or to none. */
export function voteSignBytes(
  chainName: string,
  commit: Pick<Commit, 'height' | 'round' | 'blockId'>,
  vote: 'commit' | 'nil',
  timeNs: bigint,
): Uint8Array {
  const writer = new ProtobufWriter().varint(1, PRECOMMIT).fixed64(2, commit.height).fixed64(3, commit.round);
  if (vote === 'commit') writer.message(4, encodeBlockId(commit.blockId));
  return lengthDelimited(writer.message(5, encodeTime(timeNs)).string(6, chainName).finish());
}

/**
 * Whether more than two thirds of the set's power precommitted to exactly this block. Every signature that is there must hold, also
 * one that is not needed or is for no block, so that nothing false is passed on.
 */
export function verifyCommit(
  set: ValidatorSet,
  chainName: string,
  block: { readonly height: number; readonly hash: Uint8Array },
  commit: Commit,
): Result<CommitPower, CommitError> {
  if (!isWholeCommit(commit)) return err('commit-malformed');
  if (commit.height !== block.height || !equalBytes(commit.blockId.hash, block.hash))
    return err('wrong-block');
  const error = placeError(set, commit) ?? signatureError(set, chainName, commit);
  if (error !== undefined) return err(error);
  const signers = placesOf(commit, 'commit');
  const power = powerOf(set, signers);
  return isMoreThan(power, 2, 3, set.totalPower)
    ? ok({ signers, power, totalPower: set.totalPower })
    : err('power-missing');
}

/**
 * How much of another, trusted set's power is among the signers of a commit that verifyCommit accepted. Validators are found by
 * address, as a set changes its order; the trusted set says with how much power each counts.
 */
export function trustedPower(trusted: ValidatorSet, set: ValidatorSet, signers: readonly number[]): number {
  const places = signers.map((place) => trusted.places.get(toHex(set.addresses[place] as Uint8Array)));
  return powerOf(
    trusted,
    places.filter((place) => place !== undefined),
  );
}

/** The places of the set whose signatures in the commit are for the block, checked or not. */
export function placesOf(commit: Commit, vote: CommitSignature['vote']): readonly number[] {
  return commit.signatures.flatMap((signature, place) => (signature.vote === vote ? [place] : []));
}

export function powerOf(set: ValidatorSet, places: readonly number[]): number {
  return places.reduce((sum, place) => sum + (set.validators[place]?.power ?? 0), 0);
}

/** Whether two commits are for one block. */
export function isSameDecision(left: Commit, right: Commit): boolean {
  return left.height === right.height && equalBlockIds(left.blockId, right.blockId);
}

function isWholeCommit(commit: Commit): boolean {
  return isHeight(commit.height) && isRound(commit.round) && isWholeBlockId(commit.blockId);
}

/** As many signatures as validators, each in its validator's place: so none counts twice and no stranger counts. */
function placeError(set: ValidatorSet, { signatures }: Commit): CommitError | undefined {
  if (signatures.length !== set.validators.length) return 'commit-malformed';
  for (const [place, signature] of signatures.entries()) {
    if (signature.vote === 'absent') continue;
    if (signature.signature.length !== SIGNATURE_BYTES || !isTime(signature.timeNs))
      return 'commit-malformed';
    if (!equalBytes(signature.address, set.addresses[place] as Uint8Array)) return 'unknown-validator';
  }
  return undefined;
}

function signatureError(set: ValidatorSet, chainName: string, commit: Commit): CommitError | undefined {
  for (const [place, one] of commit.signatures.entries()) {
    if (one.vote === 'absent') continue;
    const validator = set.validators[place];
    const message = voteSignBytes(chainName, commit, one.vote, one.timeNs);
    if (validator === undefined || !verifySignature(validator.publicKey, message, one.signature))
      return 'signature-invalid';
  }
  return undefined;
}
