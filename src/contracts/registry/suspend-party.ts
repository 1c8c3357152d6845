import { type Account, readAccount, sealAction, writeAccount } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { checkSuspension, readSuspension, type Suspension } from './suspension.ts';

/** From the next transaction on, the party signs nothing and opens no session. */
export const suspendParty = sealAction<Suspension>({
  contract: CONTRACT.registry,
  action: 6,
  name: 'suspend-party',
  decode: (parts) => decodeSinglePart(parts, readSuspension),
  check: (state, context, payload) => checkSuspension(state, context, payload, 'suspend'),
  apply(state, _context, payload) {
    const account = readAccount(state, payload.accountId) as Account;
    writeAccount(state, payload.accountId, { ...account, isSuspended: true });
  },
});
