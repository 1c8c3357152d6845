import { accountIdOf } from '../../identity/index.ts';
import { createOverlay, type Genesis, type StateWrite } from '../../ledger/index.ts';
import { createParty } from './party.ts';

/** The state at height 0: the founding organisations, each an administrator of the registry. */
export function genesisState(genesis: Genesis): StateWrite[] {
  const overlay = createOverlay({ get: () => undefined });
  for (const publicKey of genesis.organisationKeys) {
    const accountId = accountIdOf(publicKey);
    createParty(overlay, accountId, publicKey, {
      kind: 'organisation',
      organisation: accountId,
      roles: ['registry-admin'],
      registeredHeight: 0,
    });
  }
  return overlay.writes();
}
