import { type StateReader, type StateWriter, stateKey } from '../../ledger/index.ts';
import {
  CanonicalReader,
  CanonicalWriter,
  concatBytes,
  equalBytes,
  sha256,
  utf8,
} from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { type Change, isSameChange, readChange, writeChange } from './change.ts';

const DOMAIN = utf8('careledger/proposal/v1\0');
const ID_BYTES = 32;
const STATUSES = ['open', 'executed', 'withdrawn'] as const;
export type ProposalStatus = (typeof STATUSES)[number];

export type Vote = { readonly organisation: Uint8Array; readonly isYes: boolean };

/** A change that waits for votes, or what became of it. One that is past its last height can no longer be voted on. */
export type Proposal = {
  readonly status: ProposalStatus;
  readonly proposer: Uint8Array;
  readonly openedHeight: number;
  /** The last height at which a vote counts. */
  readonly lastHeight: number;
  /** The height at which it was executed or withdrawn; 0 while it is open. */
  readonly closedHeight: number;
  /** In the order in which they came; an organisation's stands once. */
  readonly votes: readonly Vote[];
  readonly change: Change;
};

/** What a transaction that opens a proposal says. */
export type ProposalDraft = { readonly lastHeight: number; readonly change: Change };

export function encodeOpenProposal({ lastHeight, change }: ProposalDraft): Uint8Array {
  return writeChange(new CanonicalWriter().u64(lastHeight), change).finish();
}

export function readOpenProposal(reader: CanonicalReader): ProposalDraft {
  return { lastHeight: reader.u64(), change: readChange(reader) };
}

/** A proposal is named after who opens it and what it says: a vote on the name is a vote on the content, and nobody takes the name of another's. */
export function proposalIdOf(proposer: Uint8Array, draft: ProposalDraft): Uint8Array {
  return sha256(concatBytes(DOMAIN, proposer, encodeOpenProposal(draft)));
}

export function readProposal(state: StateReader, proposalId: Uint8Array): Proposal | undefined {
  const value = state.get(proposalKey(proposalId));
  return value === undefined ? undefined : decodeProposal(value);
}

export function writeProposal(state: StateWriter, proposalId: Uint8Array, proposal: Proposal): void {
  state.set(proposalKey(proposalId), encodeProposal(proposal));
}

/** Whether votes still count at this height. */
export function isOpenAt(proposal: Proposal | undefined, height: number): boolean {
  return proposal?.status === 'open' && proposal.lastHeight >= height;
}

/** The proposals of an organisation that can be voted on at this height, the oldest first. */
export function openProposalsOf(state: StateReader, organisation: Uint8Array, height: number): Uint8Array[] {
  const value = state.get(openKey(organisation));
  if (value === undefined) return [];
  const reader = new CanonicalReader(value);
  const ids = Array.from({ length: reader.u8() }, () => reader.fixed(ID_BYTES));
  return ids.filter((id) => isOpenAt(readProposal(state, id), height));
}

/** Those of them that are for the same change. */
export function openTwinsOf(
  state: StateReader,
  organisation: Uint8Array,
  change: Change,
  height: number,
): Uint8Array[] {
  const isTwin = (id: Uint8Array): boolean =>
    isSameChange((readProposal(state, id) as Proposal).change, change);
  return openProposalsOf(state, organisation, height).filter(isTwin);
}

export function writeOpenProposals(
  state: StateWriter,
  organisation: Uint8Array,
  ids: readonly Uint8Array[],
): void {
  const writer = new CanonicalWriter().u8(ids.length);
  for (const id of ids) writer.fixed(id, ID_BYTES);
  state.set(openKey(organisation), ids.length === 0 ? undefined : writer.finish());
}

/** Ends a proposal; nobody votes on it any more. */
export function closeProposal(
  state: StateWriter,
  proposalId: Uint8Array,
  proposal: Proposal,
  status: 'executed' | 'withdrawn',
  height: number,
): void {
  const others = openProposalsOf(state, proposal.proposer, height).filter(
    (id) => !equalBytes(id, proposalId),
  );
  writeProposal(state, proposalId, { ...proposal, status, closedHeight: height });
  writeOpenProposals(state, proposal.proposer, others);
}

function proposalKey(proposalId: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.governance, 'proposal', proposalId);
}

function openKey(organisation: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.governance, 'open', organisation);
}

function encodeProposal(proposal: Proposal): Uint8Array {
  const writer = new CanonicalWriter()
    .u8(STATUSES.indexOf(proposal.status) + 1)
    .fixed(proposal.proposer, ID_BYTES)
    .u64(proposal.openedHeight)
    .u64(proposal.lastHeight)
    .u64(proposal.closedHeight)
    .u16(proposal.votes.length);
  for (const { organisation, isYes } of proposal.votes)
    writer.fixed(organisation, ID_BYTES).u8(isYes ? 1 : 2);
  return writeChange(writer, proposal.change).finish();
}

function decodeProposal(bytes: Uint8Array): Proposal {
  const reader = new CanonicalReader(bytes);
  const proposal = {
    status: STATUSES[reader.u8() - 1] as ProposalStatus,
    proposer: reader.fixed(ID_BYTES),
    openedHeight: reader.u64(),
    lastHeight: reader.u64(),
    closedHeight: reader.u64(),
    votes: Array.from({ length: reader.u16() }, () => ({
      organisation: reader.fixed(ID_BYTES),
      isYes: reader.u8() === 1,
    })),
    change: readChange(reader),
  };
  reader.end();
  return proposal;
}
