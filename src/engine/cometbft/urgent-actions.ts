import { ACTIONS } from '../../contracts/index.ts';

/** What takes rights away does not wait behind what adds records. */
export const URGENT = [
  ACTIONS['revoke-consent'],
  ACTIONS['dismiss-delegate'],
  ACTIONS['suspend-party'],
  ACTIONS['rotate-key'],
];
