import { ACTIONS } from '../../contracts/index.ts';

/**
 * A contract that takes a public key checks that it is a point of prime order, which takes a millisecond: as long as everything else of
 * some ten transactions. So a block may have few of them, however small they are.
 */
export const MAX_KEY_CHECKS = 256;

/** A header begins with the version and the chain id; contract and action follow (docs/protocol.md, "Transaction"). */
const CONTRACT_AT = 1 + 32;
const ACTION_AT = CONTRACT_AT + 1;
/** Key, organisation and power of a validator in a proposed change. */
const VALIDATOR_BYTES = 32 + 32 + 8;

const ONE_KEY = [
  ACTIONS['register-organisation'],
  ACTIONS['register-practitioner'],
  ACTIONS['register-device'],
  ACTIONS['enrol-patient'],
  ACTIONS['rotate-key'],
];

/** Whether these bytes say that they are one of these actions; nothing else of them is looked at. */
export function isOneOf(
  bytes: Uint8Array,
  actions: readonly { readonly contract: number; readonly action: number }[],
): boolean {
  return actions.some(
    ({ contract, action }) => bytes[CONTRACT_AT] === contract && bytes[ACTION_AT] === action,
  );
}

/** How many keys executing this transaction checks, or somewhat more: told by its first bytes and its length. */
export function keyChecksOf(bytes: Uint8Array): number {
  if (isOneOf(bytes, ONE_KEY)) return 1;
  return isOneOf(bytes, [ACTIONS['open-proposal']]) ? Math.ceil(bytes.length / VALIDATOR_BYTES) : 0;
}
