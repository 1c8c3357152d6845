import { type ActionContext, RESULT_CODES, type ResultCode, type StateReader } from '../../ledger/index.ts';
import { mayChangeConsentOf, readConsent } from './consent-state.ts';

/** A change names the version it has seen, so that of two changes made at once only one is taken. */
export type ConsentChange = { readonly consentId: Uint8Array; readonly expectedVersion: number };

export function checkConsentChange(
  state: StateReader,
  context: ActionContext,
  change: ConsentChange,
): ResultCode {
  const consent = readConsent(state, change.consentId);
  if (consent === undefined) return RESULT_CODES['unknown-consent'];
  if (!mayChangeConsentOf(state, consent.patient, context.signer)) return RESULT_CODES['not-the-patient'];
  if (consent.status === 'revoked') return RESULT_CODES['consent-revoked'];
  return consent.version === change.expectedVersion ? RESULT_CODES.ok : RESULT_CODES['version-conflict'];
}
