import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { checkConsentChange } from './change-check.ts';
import { type LedgerConsent, readConsent, writeConsent } from './consent-state.ts';

export type ReplaceConsent = {
  readonly consentId: Uint8Array;
  readonly expectedVersion: number;
  readonly validFromMs: number;
  readonly validUntilMs: number;
  readonly termsCommitment: Uint8Array;
};

export function encodeReplaceConsent(payload: ReplaceConsent): Uint8Array {
  return new CanonicalWriter()
    .fixed(payload.consentId, 32)
    .u32(payload.expectedVersion)
    .u64(payload.validFromMs)
    .u64(payload.validUntilMs)
    .fixed(payload.termsCommitment, 32)
    .finish();
}

/** New terms take the place of the old ones from this block on. */
export const replaceConsent = sealAction<ReplaceConsent>({
  contract: CONTRACT.consent,
  action: 2,
  name: 'replace-consent',
  decode: (parts) => decodeSinglePart(parts, readReplaceConsent),
  check(state, context, payload) {
    if (payload.validFromMs >= payload.validUntilMs) return RESULT_CODES['empty-validity'];
    return checkConsentChange(state, context, payload);
  },
  apply(state, context, { consentId, expectedVersion, ...terms }) {
    const consent = readConsent(state, consentId) as LedgerConsent;
    writeConsent(state, consentId, {
      ...consent,
      ...terms,
      version: expectedVersion + 1,
      changedHeight: context.height,
    });
  },
});

export function readReplaceConsent(reader: CanonicalReader): ReplaceConsent {
  return {
    consentId: reader.fixed(32),
    expectedVersion: reader.u32(),
    validFromMs: reader.u64(),
    validUntilMs: reader.u64(),
    termsCommitment: reader.fixed(32),
  };
}
