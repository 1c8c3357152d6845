import {
  ACTIONS,
  type ActionName,
  type ConsentTerms,
  encodeConsentTerms,
  encodeDelegation,
  encodeGrantConsent,
  encodeReplaceConsent,
  encodeRevokeConsent,
  normaliseConsent,
  termsCommitment,
} from '../../contracts/index.ts';
import { encodeTransaction, signTransaction, transactionId } from '../../ledger/index.ts';
import { AppError, fromHex } from '../../shared/index.ts';
import type { PatientKey } from './patient-key.ts';
import type { WalletConsent } from './wallet-file.ts';

/** How long a signed change may wait to enter a block. */
const VALID_FOR_BLOCKS = 1000;

/** Where the signer stands: its next sequence number, and the height of the chain. */
export type SigningPlace = {
  readonly chainId: Uint8Array;
  readonly nextSequence: number;
  readonly height: number;
};

/** Who signs: the patient, or a delegate the patient recorded. */
export type ConsentSigner = { readonly accountId: Uint8Array; readonly seed: Uint8Array };

export type SignedTransaction = { readonly transaction: Uint8Array; readonly transactionId: Uint8Array };

/** A signed change, with what opens its commitment: the custodian needs it, and the patient's receipt too. */
export type SignedConsent = SignedTransaction & {
  readonly consentId: Uint8Array;
  readonly salt: Uint8Array;
  readonly terms: Uint8Array;
  readonly consent: unknown;
  readonly validUntilMs: number;
};

/** Grants a FHIR Consent to a custodian, under a new random id and a new salt; a delegate may sign, of whose patient only the pseudonym is known. */
export function signGrant(consent: unknown, patient: PatientKey, place: SigningPlace): SignedConsent;
export function signGrant(
  consent: unknown,
  patient: Pick<PatientKey, 'accountId' | 'custodian'>,
  place: SigningPlace,
  signer: ConsentSigner,
): SignedConsent;
export function signGrant(
  consent: unknown,
  patient: PatientKey | Pick<PatientKey, 'accountId' | 'custodian'>,
  place: SigningPlace,
  signer: ConsentSigner = patient as PatientKey,
): SignedConsent {
  const { terms, salt, commitment } = commit(consent);
  const consentId = random32();
  const { validFromMs, validUntilMs } = terms;
  const payload = {
    consentId,
    patient: patient.accountId,
    custodian: patient.custodian,
    validFromMs,
    validUntilMs,
    termsCommitment: commitment,
  };
  const signed = sign('grant-consent', encodeGrantConsent(payload), place, signer);
  return { ...signed, consentId, salt, terms: encodeConsentTerms(terms), consent, validUntilMs };
}

/** Puts other terms in place of those of version `expectedVersion`. */
export function signReplacement(
  consent: unknown,
  change: { readonly consentId: Uint8Array; readonly expectedVersion: number },
  place: SigningPlace,
  signer: ConsentSigner,
): SignedConsent {
  const { terms, salt, commitment } = commit(consent);
  const { validFromMs, validUntilMs } = terms;
  const signed = sign(
    'replace-consent',
    encodeReplaceConsent({ ...change, validFromMs, validUntilMs, termsCommitment: commitment }),
    place,
    signer,
  );
  return {
    ...signed,
    consentId: change.consentId,
    salt,
    terms: encodeConsentTerms(terms),
    consent,
    validUntilMs,
  };
}

export function signRevocation(
  change: { readonly consentId: Uint8Array; readonly expectedVersion: number },
  place: SigningPlace,
  signer: ConsentSigner,
): SignedTransaction {
  return sign('revoke-consent', encodeRevokeConsent(change), place, signer);
}

/** Lets somebody else change the patient's consents, or ends it. */
export function signDelegation(
  action: 'appoint-delegate' | 'dismiss-delegate',
  delegate: Uint8Array,
  place: SigningPlace,
  patient: PatientKey,
): SignedTransaction {
  return sign(action, encodeDelegation({ delegate }), place, patient);
}

function sign(
  name: ActionName,
  part: Uint8Array,
  place: SigningPlace,
  signer: ConsentSigner,
): SignedTransaction {
  const { contract, action } = ACTIONS[name];
  const { chainId, nextSequence: sequence, height } = place;
  const draft = {
    chainId,
    contract,
    action,
    signer: signer.accountId,
    sequence,
    lastValidHeight: height + VALID_FOR_BLOCKS,
    parts: [part],
  };
  const transaction = signTransaction(draft, signer.seed);
  return { transaction: encodeTransaction(transaction), transactionId: transactionId(transaction.header) };
}

/** The terms as the custodian will read them: a consent that cannot be enforced is not signed. */
function commit(consent: unknown): { terms: ConsentTerms; salt: Uint8Array; commitment: Uint8Array } {
  const terms = normaliseConsent(consent);
  if (!terms.ok) {
    const [first] = terms.error;
    throw new AppError(
      'invalid-consent',
      `${first?.path ?? 'Consent'}: ${first?.message ?? 'the consent cannot be enforced.'}`,
    );
  }
  const salt = random32();
  return { terms: terms.value, salt, commitment: termsCommitment(salt, terms.value) };
}

/** What opens the commitment of a consent that a wallet keeps: for a receipt that is to say what was consented to. */
export function consentOpening({ salt, consent }: WalletConsent): {
  salt: Uint8Array;
  terms: Uint8Array;
} {
  const terms = normaliseConsent(consent);
  const bytes = fromHex(salt);
  if (terms.ok && bytes !== undefined) return { salt: bytes, terms: encodeConsentTerms(terms.value) };
  throw new AppError(
    'damaged',
    'A consent in this wallet cannot be read. Restore the wallet from your copy.',
  );
}

function random32(): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(32));
}
