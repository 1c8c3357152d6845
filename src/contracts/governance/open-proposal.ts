import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { checkContent, checkEffect } from './check-change.ts';
import { applyVote } from './decide.ts';
import { isAmong, readMembers } from './members.ts';
import {
  openProposalsOf,
  openTwinsOf,
  type Proposal,
  type ProposalDraft,
  proposalIdOf,
  readOpenProposal,
  readProposal,
  writeOpenProposals,
} from './proposal.ts';

/** A limit for each member, so that none can keep the others from proposing. */
export const MAX_OPEN_PROPOSALS = 8;
/** How far ahead the last height of a proposal may lie. */
export const MAX_PROPOSAL_BLOCKS = 100_000;

/** A member proposes a change, and with that votes for it. What others have open does not matter: they could withdraw it. */
export const openProposal = sealAction<ProposalDraft>({
  contract: CONTRACT.governance,
  action: 1,
  name: 'open-proposal',
  decode: (parts) => decodeSinglePart(parts, readOpenProposal),
  check(state, context, draft) {
    const { height, signer } = context;
    if (!isAmong(readMembers(state), signer)) return RESULT_CODES['not-a-member'];
    if (draft.lastHeight <= height || draft.lastHeight > height + MAX_PROPOSAL_BLOCKS)
      return RESULT_CODES['bad-expiry'];
    const isKnown = readProposal(state, proposalIdOf(signer, draft)) !== undefined;
    if (isKnown || openTwinsOf(state, signer, draft.change, height).length > 0)
      return RESULT_CODES['proposal-exists'];
    if (openProposalsOf(state, signer, height).length >= MAX_OPEN_PROPOSALS)
      return RESULT_CODES['too-many-proposals'];
    const content = checkContent(context, draft.change);
    return content === RESULT_CODES.ok ? checkEffect(state, height, draft.change) : content;
  },
  apply(state, context, draft) {
    const { height, signer } = context;
    const proposalId = proposalIdOf(signer, draft);
    writeOpenProposals(state, signer, [...openProposalsOf(state, signer, height), proposalId]);
    applyVote(state, context, proposalId, newProposal(draft, signer, height), {
      organisation: signer,
      isYes: true,
    });
  },
});

function newProposal({ lastHeight, change }: ProposalDraft, proposer: Uint8Array, height: number): Proposal {
  return { status: 'open', proposer, openedHeight: height, lastHeight, closedHeight: 0, votes: [], change };
}
