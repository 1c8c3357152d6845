import { accountIdOf } from '../../identity/index.ts';
import type { Genesis, Validator } from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';

/** The organisation that a validator of the genesis belongs to, by its account id; undefined for one that joined later. */
export function foundingOrganisation(genesis: Genesis, publicKey: Uint8Array): Uint8Array | undefined {
  const validator = genesis.validators.find(({ consensusKey }) => equalBytes(consensusKey, publicKey));
  const key = genesis.organisationKeys[validator?.organisation ?? -1];
  return key === undefined ? undefined : accountIdOf(key);
}

/** A validator as a reader can tell it from the others. */
export function validatorText(genesis: Genesis, { publicKey, power }: Validator): string {
  const organisation = foundingOrganisation(genesis, publicKey);
  const whose = organisation === undefined ? '' : ` of organisation ${toHex(organisation)}`;
  return `validator ${toHex(publicKey)}${whose} (power ${power})`;
}
