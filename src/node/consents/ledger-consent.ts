import { readConsent } from '../../contracts/index.ts';
import type { StateReader } from '../../ledger/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import type { LedgerConsent } from './consent-view.ts';

/** A consent as the ledger's head has it, by its id in hex. */
export function readLedgerConsent(state: StateReader, consentId: string): LedgerConsent | undefined {
  return readConsent(state, bytesOfHex(consentId, 'consent id'));
}

/** Whether the ledger's head has this version of a consent, or a later one. */
export function hasConsentVersion(state: StateReader, consentId: string, version: number): boolean {
  return (readLedgerConsent(state, consentId)?.version ?? 0) >= version;
}
