import { readConsent } from '../../contracts/index.ts';
import type { StateReader } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import type { Vault } from '../../vault/index.ts';

interface Deps {
  state: StateReader;
  vault: Pick<Vault, 'bindings' | 'rotateEpoch'>;
  onFailure: () => void;
}

/** Gives a patient's records new keys whenever one of their consents is revoked, through whichever node that came. */
export interface EpochWatch {
  revoked(consentIds: readonly Uint8Array[]): void;
  /** Resolves when what was revoked so far has its new keys. */
  idle(): Promise<void>;
}

/** A revocation ends what grantees elsewhere can open of later versions: a new epoch of the category keys. */
export function createEpochWatch({ state, vault, onFailure }: Deps): EpochWatch {
  let last: Promise<void> = Promise.resolve();
  const rotate = async (patient: Uint8Array): Promise<void> => {
    const patientId = await vault.bindings.patientEver(toHex(patient));
    if (patientId !== undefined) await vault.rotateEpoch(patientId);
  };
  return {
    revoked(consentIds) {
      for (const consentId of consentIds) {
        const patient = readConsent(state, consentId)?.patient;
        if (patient !== undefined) last = last.then(() => rotate(patient)).catch(onFailure);
      }
    },
    idle: () => last,
  };
}
