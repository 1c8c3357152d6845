import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { CanonicalWriter } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { readParty } from '../registry/party.ts';
import { delegateKey, isDelegate } from './consent-state.ts';
import { type Delegation, readDelegation } from './delegation.ts';

/** A patient lets another patient's key (a parent's, a carer's) change consents for them. */
export const appointDelegate = sealAction<Delegation>({
  contract: CONTRACT.consent,
  action: 4,
  name: 'appoint-delegate',
  decode: (parts) => decodeSinglePart(parts, readDelegation),
  check(state, context, { delegate }) {
    if (readParty(state, context.signer)?.kind !== 'patient') return RESULT_CODES['not-a-patient'];
    if (readParty(state, delegate)?.kind !== 'patient') return RESULT_CODES['unknown-delegate'];
    return isDelegate(state, context.signer, delegate) ? RESULT_CODES['delegate-exists'] : RESULT_CODES.ok;
  },
  apply(state, context, { delegate }) {
    state.set(delegateKey(context.signer, delegate), new CanonicalWriter().u64(context.height).finish());
  },
});
