import { type StateReader, type StateWriter, stateKey } from '../../ledger/index.ts';
import {
  CanonicalReader,
  CanonicalWriter,
  concatBytes,
  DecodeError,
  equalBytes,
} from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';

const ID_BYTES = 32;
const ACTIVE = 1;
const REVOKED = 2;

/** A consent as the ledger knows it. Its terms are elsewhere: here is only a salted commitment to them. */
export type LedgerConsent = {
  readonly patient: Uint8Array;
  readonly custodian: Uint8Array;
  /** 1 for the grant, and one more with each change. */
  readonly version: number;
  readonly status: 'active' | 'revoked';
  /** Valid while validFromMs <= block time < validUntilMs. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
  readonly termsCommitment: Uint8Array;
  readonly changedHeight: number;
};

export function consentKey(consentId: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.consent, 'consent', consentId);
}

export function readConsent(state: StateReader, consentId: Uint8Array): LedgerConsent | undefined {
  const value = state.get(consentKey(consentId));
  return value === undefined ? undefined : decodeConsent(value);
}

export function writeConsent(state: StateWriter, consentId: Uint8Array, consent: LedgerConsent): void {
  state.set(consentKey(consentId), encodeConsent(consent));
}

export function delegateKey(patient: Uint8Array, delegate: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.consent, 'delegate', concatBytes(patient, delegate));
}

export function isDelegate(state: StateReader, patient: Uint8Array, delegate: Uint8Array): boolean {
  return state.get(delegateKey(patient, delegate)) !== undefined;
}

/** The one rule of who may change a patient's consent: the patient, or a delegate the patient recorded. No one else, ever. */
export function mayChangeConsentOf(state: StateReader, patient: Uint8Array, signer: Uint8Array): boolean {
  return equalBytes(patient, signer) || isDelegate(state, patient, signer);
}

function encodeConsent(consent: LedgerConsent): Uint8Array {
  return new CanonicalWriter()
    .fixed(consent.patient, ID_BYTES)
    .fixed(consent.custodian, ID_BYTES)
    .u32(consent.version)
    .u8(consent.status === 'active' ? ACTIVE : REVOKED)
    .u64(consent.validFromMs)
    .u64(consent.validUntilMs)
    .fixed(consent.termsCommitment, ID_BYTES)
    .u64(consent.changedHeight)
    .finish();
}

export function decodeConsent(bytes: Uint8Array): LedgerConsent {
  const reader = new CanonicalReader(bytes);
  const consent = {
    patient: reader.fixed(ID_BYTES),
    custodian: reader.fixed(ID_BYTES),
    version: reader.u32(),
    status: readStatus(reader),
    validFromMs: reader.u64(),
    validUntilMs: reader.u64(),
    termsCommitment: reader.fixed(ID_BYTES),
    changedHeight: reader.u64(),
  };
  reader.end();
  return consent;
}

function readStatus(reader: CanonicalReader): LedgerConsent['status'] {
  const code = reader.u8();
  if (code === ACTIVE) return 'active';
  if (code === REVOKED) return 'revoked';
  throw new DecodeError('invalid-value', 'the status of a consent is not known');
}
