import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { isDecidedByVote } from '../governance/members.ts';
import { decodeSinglePart } from '../payload.ts';
import { readParty } from './party.ts';
import { applyRegistration, checkRegistration, type Registration, readRegistration } from './registration.ts';

/** An administrator's organisation registers another one, while it is the only member. Several members admit one by vote. */
export const registerOrganisation = sealAction<Registration>({
  contract: CONTRACT.registry,
  action: 1,
  name: 'register-organisation',
  decode: (parts) => decodeSinglePart(parts, readRegistration),
  check(state, context, registration) {
    if (!readParty(state, context.signer)?.roles.includes('registry-admin'))
      return RESULT_CODES['not-permitted'];
    if (isDecidedByVote(state)) return RESULT_CODES['needs-a-vote'];
    return checkRegistration(state, context, registration);
  },
  apply: (state, context, registration) => applyRegistration(state, context, registration, 'organisation'),
});
