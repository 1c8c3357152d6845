import { type PublicKey, parsePublicKey } from '../../identity/index.ts';
import { compareBytes, err, leafHash, ok, type Result, sha256, toHex, treeRoot } from '../../shared/index.ts';
import { ADDRESS_BYTES } from './block-header.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

/** More than any consortium has; each costs one signature to check. */
export const MAX_VALIDATORS = 1000;
/** types.MaxTotalVotingPower is 2^60 - 1; ours stays below what a number holds exactly. */
const MAX_TOTAL_POWER = Number.MAX_SAFE_INTEGER;

/** Who takes part in consensus, and with how many votes. */
export type Validator = { readonly publicKey: PublicKey; readonly power: number };

/** Validators that were checked, in the order that their hash and a commit's signatures have. */
export type ValidatorSet = {
  readonly validators: readonly Validator[];
  readonly addresses: readonly Uint8Array[];
  readonly totalPower: number;
  readonly hash: Uint8Array;
  /** The place of an address (in hexadecimal) in the set. */
  readonly places: ReadonlyMap<string, number>;
};

/** Takes validators as a set: each key once and of prime order, each with a power. */
export function validatorSetOf(
  validators: readonly Validator[],
): Result<ValidatorSet, 'validators-malformed'> {
  if (validators.length === 0 || validators.length > MAX_VALIDATORS) return err('validators-malformed');
  const isPower = ({ power }: Validator) => Number.isSafeInteger(power) && power > 0;
  if (!validators.every(isPower)) return err('validators-malformed');
  const totalPower = validators.reduce((sum, { power }) => Math.min(sum + power, MAX_TOTAL_POWER + 1), 0);
  if (totalPower > MAX_TOTAL_POWER) return err('validators-malformed');
  if (!validators.every(({ publicKey }) => isSoundKey(publicKey))) return err('validators-malformed');
  const addresses = validators.map(({ publicKey }) => validatorAddress(publicKey));
  const places = new Map(addresses.map((address, index) => [toHex(address), index]));
  if (places.size !== validators.length) return err('validators-malformed');
  const hash = treeRoot(validators.map((validator) => leafHash(encodeSimpleValidator(validator))));
  return ok({ validators, addresses, totalPower, hash, places });
}

/** CometBFT's own order (types.ValidatorsByVotingPower): the most power first, and by address where it is equal. */
export function inConsensusOrder(validators: readonly Validator[]): readonly Validator[] {
  return [...validators].sort(
    (left, right) =>
      right.power - left.power ||
      compareBytes(validatorAddress(left.publicKey), validatorAddress(right.publicKey)),
  );
}

/** crypto.AddressHash. */
export function validatorAddress(publicKey: PublicKey): Uint8Array {
  return sha256(publicKey).slice(0, ADDRESS_BYTES);
}

/** Whether `power` is more than `numerator/denominator` of all of it, exactly. */
export function isMoreThan(power: number, numerator: number, denominator: number, total: number): boolean {
  return BigInt(power) * BigInt(denominator) > BigInt(total) * BigInt(numerator);
}

/** Keys that were found to be sound: the check costs as much as many signatures, and the same validators come in every block. */
const soundKeys = new Set<string>();
const MAX_SOUND_KEYS = 4 * MAX_VALIDATORS;

function isSoundKey(publicKey: PublicKey): boolean {
  const name = toHex(publicKey);
  if (soundKeys.has(name)) return true;
  if (!parsePublicKey(publicKey).ok) return false;
  if (soundKeys.size >= MAX_SOUND_KEYS) soundKeys.clear();
  soundKeys.add(name);
  return true;
}

/** tendermint.types.SimpleValidator; field 1 of tendermint.crypto.PublicKey is Ed25519. */
function encodeSimpleValidator({ publicKey, power }: Validator): Uint8Array {
  const key = new ProtobufWriter().message(1, publicKey).finish();
  return new ProtobufWriter().message(1, key).varint(2, power).finish();
}
