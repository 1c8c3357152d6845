import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter, equalBytes } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { closeProposal, type Proposal, readProposal } from './proposal.ts';

export type WithdrawProposal = { readonly proposalId: Uint8Array };

export function encodeWithdrawProposal({ proposalId }: WithdrawProposal): Uint8Array {
  return new CanonicalWriter().fixed(proposalId, 32).finish();
}

export function readWithdrawProposal(reader: CanonicalReader): WithdrawProposal {
  return { proposalId: reader.fixed(32) };
}

/** Whoever opened a proposal takes it back. */
export const withdrawProposal = sealAction<WithdrawProposal>({
  contract: CONTRACT.governance,
  action: 3,
  name: 'withdraw-proposal',
  decode: (parts) => decodeSinglePart(parts, readWithdrawProposal),
  check(state, { signer, height }, { proposalId }) {
    const proposal = readProposal(state, proposalId);
    if (proposal === undefined) return RESULT_CODES['unknown-proposal'];
    if (!equalBytes(proposal.proposer, signer)) return RESULT_CODES['not-the-proposer'];
    if (proposal.status !== 'open') return RESULT_CODES['proposal-closed'];
    return height > proposal.lastHeight ? RESULT_CODES['proposal-expired'] : RESULT_CODES.ok;
  },
  apply(state, { height }, { proposalId }) {
    closeProposal(state, proposalId, readProposal(state, proposalId) as Proposal, 'withdrawn', height);
  },
});
