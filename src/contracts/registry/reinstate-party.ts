import { type Account, readAccount, sealAction, writeAccount } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { checkSuspension, readSuspension, type Suspension } from './suspension.ts';

/** Ends a suspension. */
export const reinstateParty = sealAction<Suspension>({
  contract: CONTRACT.registry,
  action: 7,
  name: 'reinstate-party',
  decode: (parts) => decodeSinglePart(parts, readSuspension),
  check: (state, context, payload) => checkSuspension(state, context, payload, 'reinstate'),
  apply(state, _context, payload) {
    const account = readAccount(state, payload.accountId) as Account;
    writeAccount(state, payload.accountId, { ...account, isSuspended: false });
  },
});
