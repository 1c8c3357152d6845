import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { delegateKey, isDelegate } from './consent-state.ts';
import { type Delegation, readDelegation } from './delegation.ts';

/** Ends a delegate's right, from the next transaction on. */
export const dismissDelegate = sealAction<Delegation>({
  contract: CONTRACT.consent,
  action: 5,
  name: 'dismiss-delegate',
  decode: (parts) => decodeSinglePart(parts, readDelegation),
  check: (state, context, { delegate }) =>
    isDelegate(state, context.signer, delegate) ? RESULT_CODES.ok : RESULT_CODES['unknown-delegate'],
  apply: (state, context, { delegate }) => state.set(delegateKey(context.signer, delegate), undefined),
});
