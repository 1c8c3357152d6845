import type { Genesis, Validator } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import { foundingOrganisations } from '../receipts/signing-organisations.ts';

/** A validator as a reader can tell it from the others. */
export function validatorText(genesis: Genesis, { publicKey, power }: Validator): string {
  const organisation = foundingOrganisations(genesis).get(toHex(publicKey));
  const whose = organisation === undefined ? '' : ` of organisation ${toHex(organisation)}`;
  return `validator ${toHex(publicKey)}${whose} (power ${power})`;
}
