import { accountIdOf } from '../../identity/index.ts';
import { createOverlay, type Genesis, type StateWrite } from '../../ledger/index.ts';
import { writeMembers } from '../governance/members.ts';
import { writeValidators } from '../governance/validators.ts';
import { createParty } from './party.ts';

/** The state at height 0: the founding organisations, each an administrator of the registry and a member, and the validators. */
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
  const ids = genesis.organisationKeys.map(accountIdOf);
  writeMembers(overlay, ids);
  const validators = genesis.validators.map(({ consensusKey, organisation, power }) => ({
    consensusKey,
    organisation: ids[organisation] as Uint8Array,
    power,
  }));
  if (validators.length > 0) writeValidators(overlay, validators);
  return overlay.writes();
}
