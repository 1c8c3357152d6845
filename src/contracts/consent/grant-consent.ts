import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter, equalBytes } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { readParty } from '../registry/party.ts';
import { mayChangeConsentOf, readConsent, writeConsent } from './consent-state.ts';

export type GrantConsent = {
  /** 32 random bytes chosen by the wallet. */
  readonly consentId: Uint8Array;
  /** The patient's pseudonym; the signer's own, unless a delegate signs. */
  readonly patient: Uint8Array;
  readonly custodian: Uint8Array;
  readonly validFromMs: number;
  readonly validUntilMs: number;
  readonly termsCommitment: Uint8Array;
};

export function encodeGrantConsent(payload: GrantConsent): Uint8Array {
  return new CanonicalWriter()
    .fixed(payload.consentId, 32)
    .fixed(payload.patient, 32)
    .fixed(payload.custodian, 32)
    .u64(payload.validFromMs)
    .u64(payload.validUntilMs)
    .fixed(payload.termsCommitment, 32)
    .finish();
}

/** A patient, or a delegate, records a consent. */
export const grantConsent = sealAction<GrantConsent>({
  contract: CONTRACT.consent,
  action: 1,
  name: 'grant-consent',
  decode: (parts) => decodeSinglePart(parts, readGrantConsent),
  check(state, context, payload) {
    const patient = readParty(state, payload.patient);
    if (patient?.kind !== 'patient') return RESULT_CODES['not-a-patient'];
    if (!mayChangeConsentOf(state, payload.patient, context.signer)) return RESULT_CODES['not-the-patient'];
    // A pseudonym belongs to one custodian; naming another would connect the two.
    if (!equalBytes(patient.organisation, payload.custodian)) return RESULT_CODES['unknown-custodian'];
    if (payload.validFromMs >= payload.validUntilMs) return RESULT_CODES['empty-validity'];
    return readConsent(state, payload.consentId) === undefined
      ? RESULT_CODES.ok
      : RESULT_CODES['consent-exists'];
  },
  apply(state, context, { consentId, ...terms }) {
    writeConsent(state, consentId, { ...terms, version: 1, status: 'active', changedHeight: context.height });
  },
});

export function readGrantConsent(reader: CanonicalReader): GrantConsent {
  return {
    consentId: reader.fixed(32),
    patient: reader.fixed(32),
    custodian: reader.fixed(32),
    validFromMs: reader.u64(),
    validUntilMs: reader.u64(),
    termsCommitment: reader.fixed(32),
  };
}
