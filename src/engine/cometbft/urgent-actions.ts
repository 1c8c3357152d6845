import { ACTIONS } from '../../contracts/index.ts';
import { isOneOf } from './header-bytes.ts';

/** What takes rights away, as other terms of a consent may, does not wait behind what adds records. */
const URGENT = [
  ACTIONS['replace-consent'],
  ACTIONS['revoke-consent'],
  ACTIONS['dismiss-delegate'],
  ACTIONS['suspend-party'],
  ACTIONS['rotate-key'],
];

export function isUrgent(bytes: Uint8Array): boolean {
  return isOneOf(bytes, URGENT);
}
