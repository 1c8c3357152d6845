import { sealAction } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { type ConsentChange, checkConsentChange } from './change-check.ts';
import { type LedgerConsent, readConsent, writeConsent } from './consent-state.ts';

export function encodeRevokeConsent(payload: ConsentChange): Uint8Array {
  return new CanonicalWriter().fixed(payload.consentId, 32).u32(payload.expectedVersion).finish();
}

/** Ends a consent for good. */
export const revokeConsent = sealAction<ConsentChange>({
  contract: CONTRACT.consent,
  action: 3,
  name: 'revoke-consent',
  decode: (parts) => decodeSinglePart(parts, readRevokeConsent),
  check: checkConsentChange,
  apply(state, context, { consentId, expectedVersion }) {
    const consent = readConsent(state, consentId) as LedgerConsent;
    writeConsent(state, consentId, {
      ...consent,
      status: 'revoked',
      version: expectedVersion + 1,
      changedHeight: context.height,
    });
  },
});

export function readRevokeConsent(reader: CanonicalReader): ConsentChange {
  return { consentId: reader.fixed(32), expectedVersion: reader.u32() };
}
