import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter, DecodeError, equalBytes } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { applyVote, checkVote } from './decide.ts';
import { isAmong, readMembers } from './members.ts';
import { type Proposal, readProposal } from './proposal.ts';

const YES = 1;
const NO = 2;

export type VoteOnProposal = { readonly proposalId: Uint8Array; readonly isYes: boolean };

export function encodeVoteOnProposal({ proposalId, isYes }: VoteOnProposal): Uint8Array {
  return new CanonicalWriter()
    .fixed(proposalId, 32)
    .u8(isYes ? YES : NO)
    .finish();
}

export function readVoteOnProposal(reader: CanonicalReader): VoteOnProposal {
  const proposalId = reader.fixed(32);
  const vote = reader.u8();
  if (vote !== YES && vote !== NO) throw new DecodeError('invalid-value', 'a vote is 1 for yes or 2 for no');
  return { proposalId, isYes: vote === YES };
}

/** A member votes, once and for good. The vote that makes more than two thirds carries the change in its own block. */
export const voteOnProposal = sealAction<VoteOnProposal>({
  contract: CONTRACT.governance,
  action: 2,
  name: 'vote-on-proposal',
  decode: (parts) => decodeSinglePart(parts, readVoteOnProposal),
  check(state, context, { proposalId, isYes }) {
    const { signer, height } = context;
    if (!isAmong(readMembers(state), signer)) return RESULT_CODES['not-a-member'];
    const proposal = readProposal(state, proposalId);
    if (proposal === undefined) return RESULT_CODES['unknown-proposal'];
    if (proposal.status !== 'open') return RESULT_CODES['proposal-closed'];
    if (height > proposal.lastHeight) return RESULT_CODES['proposal-expired'];
    if (hasVoted(proposal, signer)) return RESULT_CODES['already-voted'];
    return checkVote(state, context, proposal, { organisation: signer, isYes });
  },
  apply(state, context, { proposalId, isYes }) {
    const proposal = readProposal(state, proposalId) as Proposal;
    applyVote(state, context, proposalId, proposal, { organisation: context.signer, isYes });
  },
});

function hasVoted({ votes }: Proposal, signer: Uint8Array): boolean {
  return votes.some(({ organisation }) => equalBytes(organisation, signer));
}
