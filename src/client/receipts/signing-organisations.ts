import { accountIdOf } from '../../identity/index.ts';
import type { Checkpoint, Genesis, Validator } from '../../ledger/index.ts';
import { equalBytes } from '../../shared/index.ts';
import type { ConsensusProof } from './receipt-format.ts';

/** A validator that signed, and whose it is. */
export type SigningOrganisation = {
  readonly consensusKey: Uint8Array;
  readonly power: number;
  /** The account of its organisation; undefined where the file does not show it. */
  readonly organisation: Uint8Array | undefined;
};

/** Whose validators signed: those of the genesis by the genesis. */
export function signingOrganisations(
  genesis: Genesis,
  _checkpoint: Checkpoint,
  validators: readonly Validator[],
  _shown: ConsensusProof['validators'],
): readonly SigningOrganisation[] {
  return validators.map(({ publicKey, power }) => {
    const founder = genesis.validators.find(({ consensusKey }) => equalBytes(consensusKey, publicKey));
    const key = genesis.organisationKeys[founder?.organisation ?? -1];
    return { consensusKey: publicKey, power, organisation: key === undefined ? undefined : accountIdOf(key) };
  });
}
