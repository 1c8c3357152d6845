import {
  type ActionContext,
  RESULT_CODES,
  type ResultCode,
  readAccount,
  type StateReader,
} from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter, equalBytes } from '../../shared/index.ts';
import { isDecidedByVote } from '../governance/members.ts';
import { isActiveOrganisation, readParty } from './party.ts';

/** Whose suspension begins or ends. */
export type Suspension = { readonly accountId: Uint8Array };

export function encodeSuspension(payload: Suspension): Uint8Array {
  return new CanonicalWriter().fixed(payload.accountId, 32).finish();
}

export function readSuspension(reader: CanonicalReader): Suspension {
  return { accountId: reader.fixed(32) };
}

/**
 * An organisation answers for its own people; an administrator's organisation for all, while it is the only member. Where
 * there are several, organisations are removed and admitted by vote. Nobody locks itself out.
 */
export function checkSuspension(
  state: StateReader,
  context: ActionContext,
  payload: Suspension,
  wanted: 'suspend' | 'reinstate',
): ResultCode {
  if (!isActiveOrganisation(state, context.signer)) return RESULT_CODES['not-an-organisation'];
  const party = readParty(state, payload.accountId);
  const account = readAccount(state, payload.accountId);
  if (party === undefined || account === undefined) return RESULT_CODES['unknown-party'];
  if (equalBytes(payload.accountId, context.signer)) return RESULT_CODES['own-suspension'];
  const byVote = isDecidedByVote(state);
  if (byVote && party.kind === 'organisation') return RESULT_CODES['needs-a-vote'];
  const isAdmin = readParty(state, context.signer)?.roles.includes('registry-admin') ?? false;
  if ((byVote || !isAdmin) && !equalBytes(party.organisation, context.signer))
    return RESULT_CODES['not-permitted'];
  if (wanted === 'suspend') return account.isSuspended ? RESULT_CODES['already-suspended'] : RESULT_CODES.ok;
  return account.isSuspended ? RESULT_CODES.ok : RESULT_CODES['not-suspended'];
}
