import { changeFromJson, changeToJson, validatorToJson } from '../../client/index.ts';
import {
  encodeOpenProposal,
  encodeVoteOnProposal,
  encodeWithdrawProposal,
  MAX_PROPOSAL_BLOCKS,
  openProposalsOf,
  type Proposal,
  proposalIdOf,
  readMembers,
  readProposal,
  readValidators,
  tallyOf,
} from '../../contracts/index.ts';
import { type StateReader, versionSchedule } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import { bodyObject, json, type NodeApp, textField } from '../http/app.ts';
import type { PartsOfNode } from '../runtime.ts';

const MAX_REQUEST_BYTES = 64 * 1024;

type GovernanceParts = PartsOfNode<'engine' | 'custodian'>;

/** What the members of a ledger decide together; proposals and votes are signed with this organisation's key. */
export function addGovernanceRoutes(app: NodeApp, runtime: GovernanceParts): void {
  app.get('/admin/governance', () => json(describeGovernance(runtime)));
  app.post('/admin/governance/propose', async (context) =>
    json(await propose(runtime, await bodyObject(context, MAX_REQUEST_BYTES)), 201),
  );
  app.post('/admin/governance/vote', async (context) => {
    const body = await bodyObject(context, MAX_REQUEST_BYTES);
    const proposalId = bytesOfHex(textField(body, 'proposalId', 64), 'id of the proposal');
    if (typeof body.isYes !== 'boolean')
      throw new AppError('invalid-request', 'The field isYes must be true or false.');
    await runtime.custodian.submit('vote-on-proposal', [
      encodeVoteOnProposal({ proposalId, isYes: body.isYes }),
    ]);
    return json(proposalNow(runtime.engine.state, proposalId));
  });
  app.post('/admin/governance/withdraw', async (context) => {
    const body = await bodyObject(context, MAX_REQUEST_BYTES);
    const proposalId = bytesOfHex(textField(body, 'proposalId', 64), 'id of the proposal');
    await runtime.custodian.submit('withdraw-proposal', [encodeWithdrawProposal({ proposalId })]);
    return json(proposalNow(runtime.engine.state, proposalId));
  });
}

async function propose(
  { engine, custodian }: GovernanceParts,
  body: Record<string, unknown>,
): Promise<object> {
  const { blocks } = body;
  if (!Number.isSafeInteger(blocks) || (blocks as number) < 1 || (blocks as number) >= MAX_PROPOSAL_BLOCKS)
    throw new AppError(
      'invalid-request',
      `A proposal is open for 1 to ${MAX_PROPOSAL_BLOCKS - 1} blocks. Say how many.`,
    );
  const draft = {
    lastHeight: engine.head().height + 1 + (blocks as number),
    change: changeFromJson(body.change),
  };
  await custodian.submit('open-proposal', [encodeOpenProposal(draft)]);
  return proposalNow(engine.state, proposalIdOf(custodian.accountId, draft));
}

function describeGovernance({ engine, custodian }: GovernanceParts): object {
  const { state } = engine;
  const { height } = engine.head();
  const members = readMembers(state);
  const open = members.flatMap((member) => openProposalsOf(state, member, height + 1));
  return {
    height,
    organisation: custodian.accountHex,
    members: members.map(toHex),
    validators: readValidators(state).map(validatorToJson),
    versions: versionSchedule(state),
    proposals: open.map((id) => proposalNow(state, id)),
  };
}

function proposalNow(state: StateReader, proposalId: Uint8Array): object {
  const proposal = readProposal(state, proposalId) as Proposal;
  const { yes, no, members } = tallyOf(state, proposal.votes);
  return {
    proposalId: toHex(proposalId),
    status: proposal.status,
    proposer: toHex(proposal.proposer),
    openedHeight: proposal.openedHeight,
    lastHeight: proposal.lastHeight,
    change: changeToJson(proposal.change),
    votes: proposal.votes.map(({ organisation, isYes }) => ({ organisation: toHex(organisation), isYes })),
    tally: { yes, no, members, needed: Math.floor((2 * members) / 3) + 1 },
  };
}
