import { CONTRACT, readValidators } from '../../contracts/index.ts';
import { accountIdOf } from '../../identity/index.ts';
import {
  type Checkpoint,
  type Genesis,
  stateKey,
  type Validator,
  verifyStateProof,
} from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import type { ConsensusProof } from './receipt-format.ts';
import { refuseUnless } from './refusal.ts';

/** A validator that signed, and whose it is. */
export type SigningOrganisation = {
  readonly consensusKey: Uint8Array;
  readonly power: number;
  /** The account of its organisation; undefined where the file does not show it. */
  readonly organisation: Uint8Array | undefined;
};

/** Where the state says whose the validators are (docs/protocol.md, "governance"). */
export const VALIDATORS_ROW: Uint8Array = stateKey(CONTRACT.governance, 'validators', new Uint8Array());

/** Whose validators signed: as the state says that was decided, and the genesis for those who are no longer in it. */
export function signingOrganisations(
  genesis: Genesis,
  { stateRoot }: Checkpoint,
  signers: readonly Validator[],
  row: ConsensusProof['validators'],
): readonly SigningOrganisation[] {
  const organisations = foundingOrganisations(genesis);
  if (row !== null) {
    refuseUnless(verifyStateProof(stateRoot, VALIDATORS_ROW, row.value, row.proof), 'state-proof-invalid');
    for (const { consensusKey, organisation } of readValidators({ get: () => row.value }))
      organisations.set(toHex(consensusKey), organisation);
  }
  return signers.map(({ publicKey, power }) => ({
    consensusKey: publicKey,
    power,
    organisation: organisations.get(toHex(publicKey)),
  }));
}

/** The account of each organisation by the key of its validator, as the genesis has them. */
export function foundingOrganisations({ validators, organisationKeys }: Genesis): Map<string, Uint8Array> {
  const accounts = organisationKeys.map(accountIdOf);
  return new Map(
    validators.map(({ consensusKey, organisation }) => [
      toHex(consensusKey),
      accounts[organisation] as Uint8Array,
    ]),
  );
}
