import {
  actionName,
  type ConsentTerms,
  decodeSinglePart,
  type GrantConsent,
  type LedgerConsent,
  mayChangeConsentOf,
  normaliseConsent,
  readConsent,
  readGrantConsent,
  readReplaceConsent,
  readRevokeConsent,
  termsCommitment,
} from '../../contracts/index.ts';
import type { Committed, Engine } from '../../engine/index.ts';
import { verifySignature } from '../../identity/index.ts';
import { decodeTransaction, readAccount, signingBytes, type Transaction } from '../../ledger/index.ts';
import { AppError, equalBytes, toHex, utf8 } from '../../shared/index.ts';
import type { Vault } from '../../vault/index.ts';
import { createKeyedLock } from '../concurrency/keyed-lock.ts';
import { requireEffect } from '../ledger/account-signer.ts';
import type { EpochWatch } from './epoch-watch.ts';
import { hasConsentVersion } from './ledger-consent.ts';

/** Of one version, as FHIR JSON: it is read again for every decision that no earlier one has prepared. */
const MAX_CONSENT_BYTES = 64 * 1024;

/** A signed change of a consent, with the terms it commits to where it sets new ones. */
export interface ConsentSubmission {
  transaction: Uint8Array;
  /** FHIR Consent; absent for a revocation. */
  consent?: unknown;
  salt?: Uint8Array;
}

export interface AcceptedConsent {
  committed: Committed;
  consentId: string;
  version: number;
}

interface Change {
  consentId: Uint8Array;
  patient: Uint8Array;
  version: number;
  /** Whether the ledger has a version of it. */
  isKnown: boolean;
  /** What the transaction commits to; undefined for a revocation. */
  terms?: { validFromMs: number; validUntilMs: number; termsCommitment: Uint8Array };
}

interface Deps {
  engine: Pick<Engine, 'state' | 'submit'>;
  vault: Pick<Vault, 'bindings' | 'consents'>;
  epochs: Pick<EpochWatch, 'idle' | 'requireRotated'>;
  /** Terms of a patient's consent came in: it may be on the ledger, denying until now. */
  onStored: (patientId: string) => void;
}

/**
 * Takes changes of consents: the terms are stored before the transaction is submitted, so that at the moment it counts the
 * custodian can read what it says. Terms whose transaction never came count for nothing, and the next for the same version
 * take their place.
 */
export function createConsentDesk(deps: Deps): {
  accept(submission: ConsentSubmission): Promise<AcceptedConsent>;
  /**
   * Stores the terms alone: the patient submits the transaction through another node of the consortium, or has done so. Terms
   * of what is on the ledger have to be those that it commits to.
   */
  deposit(submission: ConsentSubmission): Promise<void>;
} {
  const oneAtATime = createKeyedLock();
  const forConsent = <R>(
    { transaction }: ConsentSubmission,
    work: (transaction: Transaction) => Promise<R>,
  ): Promise<R> => {
    const decoded = decodeTransaction(transaction);
    if (!decoded.ok)
      throw new AppError('malformed-transaction', 'The transaction is not canonical bytes of one.');
    return oneAtATime(toHex(consentIdOf(decoded.value)), () => work(decoded.value));
  };
  return {
    accept: (submission) =>
      forConsent(submission, async (transaction) => {
        const change = await prepareChange(transaction, submission, deps);
        const committed = requireEffect(await deps.engine.submit(submission.transaction));
        await deps.epochs.idle();
        if (change.version > 1) deps.epochs.requireRotated(change.patient);
        return { committed, consentId: toHex(change.consentId), version: change.version };
      }),
    deposit: (submission) =>
      forConsent(submission, async (transaction) => {
        await prepareChange(transaction, submission, deps);
      }),
  };
}

/** Checks the change against the ledger as it is, and stores its terms. */
async function prepareChange(
  transaction: Transaction,
  submission: ConsentSubmission,
  deps: Deps,
): Promise<Change> {
  const change = changeOf(transaction, deps);
  const patientId = await patientOf(change, deps);
  checkSigner(transaction, change, deps);
  if (change.terms !== undefined) await storeTerms(change, change.terms, submission, patientId, deps);
  return change;
}

function consentIdOf({ header, parts }: Transaction): Uint8Array {
  const name = actionName(header.contract, header.action);
  const read =
    name === 'grant-consent'
      ? readGrantConsent
      : name === 'replace-consent'
        ? readReplaceConsent
        : name === 'revoke-consent'
          ? readRevokeConsent
          : undefined;
  const payload = read === undefined ? undefined : decodeSinglePart<{ consentId: Uint8Array }>(parts, read);
  if (payload?.ok === true) return payload.value.consentId;
  throw new AppError(
    'malformed-transaction',
    'This is not a transaction that grants, replaces or revokes a consent.',
  );
}

/** What the transaction changes, as far as the ledger's present state lets it. */
function changeOf({ header, parts }: Transaction, { engine }: Deps): Change {
  const consentId = consentIdOf({ header, parts } as Transaction);
  const current = readConsent(engine.state, consentId);
  if (actionName(header.contract, header.action) === 'grant-consent') {
    const grant = decodeSinglePart(parts, readGrantConsent);
    if (!grant.ok || (current !== undefined && !isSameGrant(current, grant.value)))
      throw new AppError(
        'conflict',
        'A consent with this id is on the ledger. Grant under a new id, or replace it.',
      );
    const isKnown = current !== undefined;
    return { consentId, patient: grant.value.patient, version: 1, isKnown, terms: grant.value };
  }
  if (current === undefined) throw new AppError('not-found', 'There is no such consent on the ledger.');
  const replace =
    actionName(header.contract, header.action) === 'replace-consent'
      ? decodeSinglePart(parts, readReplaceConsent)
      : undefined;
  const revoke = decodeSinglePart(parts, readRevokeConsent);
  const expected =
    replace?.ok === true ? replace.value.expectedVersion : revoke.ok ? revoke.value.expectedVersion : -1;
  if (replace?.ok === true && isOnLedger(current, replace.value.expectedVersion + 1, replace.value))
    return {
      consentId,
      patient: current.patient,
      version: current.version,
      isKnown: true,
      terms: replace.value,
    };
  if (current.status === 'revoked') throw new AppError('conflict', 'The consent is revoked already.');
  if (expected !== current.version)
    throw new AppError('conflict', 'The consent has changed meanwhile. Look at it again.');
  return {
    consentId,
    patient: current.patient,
    version: expected + 1,
    isKnown: true,
    ...(replace?.ok === true && { terms: replace.value }),
  };
}

/** Whether the ledger has this very change already: then only its terms can be missing here. */
function isOnLedger(current: LedgerConsent, version: number, terms: NonNullable<Change['terms']>): boolean {
  return (
    current.status === 'active' &&
    current.version === version &&
    current.validFromMs === terms.validFromMs &&
    current.validUntilMs === terms.validUntilMs &&
    equalBytes(current.termsCommitment, terms.termsCommitment)
  );
}

function isSameGrant(current: LedgerConsent, grant: GrantConsent): boolean {
  return isOnLedger(current, 1, grant) && equalBytes(current.patient, grant.patient);
}

/**
 * Under an account that another wallet took the place of, a consent can only be revoked: the old wallet may be a stolen one, and
 * terms that come from it would open the record. What the ledger takes from it all the same has no terms here, and denies.
 */
async function patientOf(change: Change, { vault }: Deps): Promise<string> {
  const account = toHex(change.patient);
  const present = (await vault.bindings.byAccount(account))?.patientId;
  if (present !== undefined) return present;
  const former = change.isKnown ? await vault.bindings.patientEver(account) : undefined;
  if (former === undefined)
    throw new AppError('forbidden', 'The patient of this consent is not enrolled here.');
  if (change.terms === undefined) return former;
  throw new AppError(
    'forbidden',
    'Another wallet has taken the place of the one that granted this consent: it can only be revoked. Grant a new one with the new wallet.',
  );
}

/** The ledger checks this again; here it keeps strangers from storing terms that nobody signed (invariant 6). */
function checkSigner({ header, signature }: Transaction, change: Change, { engine }: Deps): void {
  const account = readAccount(engine.state, header.signer);
  const isSigned =
    account !== undefined &&
    !account.isSuspended &&
    verifySignature(account.publicKey, signingBytes(header), signature);
  if (isSigned && mayChangeConsentOf(engine.state, change.patient, header.signer)) return;
  throw new AppError(
    'forbidden',
    'Only the patient, or a delegate the patient recorded, can change this consent.',
  );
}

async function storeTerms(
  change: Change,
  promised: NonNullable<Change['terms']>,
  submission: ConsentSubmission,
  patientId: string,
  deps: Deps,
): Promise<void> {
  const salt = submission.salt;
  if (salt?.length !== 32)
    throw new AppError('invalid-consent', 'Send the 32-byte salt of the commitment with the consent.');
  const terms = termsOf(submission.consent, patientId);
  if (!equalBytes(termsCommitment(salt, terms), promised.termsCommitment)) {
    throw new AppError('invalid-consent', 'The signed commitment is not to the terms of this consent.');
  }
  if (terms.validFromMs !== promised.validFromMs || terms.validUntilMs !== promised.validUntilMs) {
    throw new AppError('invalid-consent', 'The validity in the transaction is not that of the consent.');
  }
  const consent = utf8(JSON.stringify(submission.consent));
  if (consent.length > MAX_CONSENT_BYTES)
    throw new AppError('body-too-large', 'A consent may have at most 64 KiB. Leave out its text.');
  const stored = { consentId: toHex(change.consentId), version: change.version, patientId, salt, consent };
  await deps.vault.consents.put(stored, (id, version) => hasConsentVersion(deps.engine.state, id, version));
  deps.onStored(patientId);
}

function termsOf(consent: unknown, patientId: string): ConsentTerms {
  const terms = normaliseConsent(consent, { patientReference: `Patient/${patientId}` });
  if (terms.ok) return terms.value;
  const first = terms.error[0];
  throw new AppError(
    'invalid-consent',
    `${first?.path ?? 'Consent'}: ${first?.message ?? 'the consent cannot be enforced.'}`,
  );
}
