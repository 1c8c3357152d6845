import { ACTIONS } from '../../contracts/index.ts';
import { isOneOf } from './header-bytes.ts';

/**
 * A contract that takes a public key checks that it is a point of prime order, which takes a millisecond: as long as everything else of
 * some ten transactions. So a block may have few of them, however small they are.
 */
export const MAX_KEY_CHECKS = 256;

/** Key, organisation and power of a validator in a proposed change. */
const VALIDATOR_BYTES = 32 + 32 + 8;

const ONE_KEY = [
  ACTIONS['register-organisation'],
  ACTIONS['register-practitioner'],
  ACTIONS['register-device'],
  ACTIONS['enrol-patient'],
  ACTIONS['rotate-key'],
];

/** How many keys executing this transaction checks, or somewhat more: told by its first bytes and its length. */
export function keyChecksOf(bytes: Uint8Array): number {
  if (isOneOf(bytes, ONE_KEY)) return 1;
  return isOneOf(bytes, [ACTIONS['open-proposal']]) ? Math.ceil(bytes.length / VALIDATOR_BYTES) : 0;
}
