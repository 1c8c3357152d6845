import {
  type ActionContext,
  RESULT_CODES,
  type ResultCode,
  type StateReader,
  type StateWriter,
} from '../../ledger/index.ts';
import { applyChange } from './apply-change.ts';
import type { Change } from './change.ts';
import { checkEffect } from './check-change.ts';
import { readMembers } from './members.ts';
import {
  closeProposal,
  openTwinsOf,
  type Proposal,
  readProposal,
  type Vote,
  writeProposal,
} from './proposal.ts';
import { isCarried, tallyOf } from './tally.ts';

/** Why a vote that would carry a proposal cannot: its change is not possible now. The vote is not recorded then and can come again. */
export function checkVote(
  state: StateReader,
  { height }: ActionContext,
  proposal: Proposal,
  vote: Vote,
): ResultCode {
  const isDecided = isCarried(tallyOf(state, [...proposal.votes, vote]));
  return isDecided ? checkEffect(state, height, proposal.change) : RESULT_CODES.ok;
}

/** Records a vote, and makes the change at once where this vote carries it. */
export function applyVote(
  state: StateWriter,
  { height }: ActionContext,
  proposalId: Uint8Array,
  proposal: Proposal,
  vote: Vote,
): void {
  const voted = { ...proposal, votes: [...proposal.votes, vote] };
  const isDecided = isCarried(tallyOf(state, voted.votes));
  writeProposal(state, proposalId, voted);
  if (!isDecided) return;
  applyChange(state, height, proposal.change);
  closeProposal(state, proposalId, voted, 'executed', height);
  withdrawTwins(state, height, proposal.change);
}

/** Otherwise the votes that they have would count when the change was undone since, and it would be made again. */
function withdrawTwins(state: StateWriter, height: number, change: Change): void {
  const twins = readMembers(state).flatMap((member) => openTwinsOf(state, member, change, height));
  for (const id of twins) closeProposal(state, id, readProposal(state, id) as Proposal, 'withdrawn', height);
}
