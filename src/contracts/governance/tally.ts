import type { StateReader } from '../../ledger/index.ts';
import { isActiveOrganisation } from '../registry/party.ts';
import { isAmong, readMembers } from './members.ts';
import type { Vote } from './proposal.ts';

export type Tally = { readonly yes: number; readonly no: number; readonly members: number };

/** Counts the votes of those who are members now; who has left counts neither for nor against. */
export function tallyOf(state: StateReader, votes: readonly Vote[]): Tally {
  const members = readMembers(state).filter((member) => isActiveOrganisation(state, member));
  const counted = votes.filter(({ organisation }) => isAmong(members, organisation));
  const yes = counted.filter(({ isYes }) => isYes).length;
  return { yes, no: counted.length - yes, members: members.length };
}

/** More than two thirds of all members, not only of those who voted. */
export function isCarried({ yes, members }: Tally): boolean {
  return 3 * yes > 2 * members;
}
