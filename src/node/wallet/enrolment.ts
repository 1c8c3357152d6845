import { encodeRegistration, possessionMessage, readParty } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { accountIdOf, parsePublicKey, verifySignature } from '../../identity/index.ts';
import { AppError, equalBytes, toHex } from '../../shared/index.ts';
import type { Vault } from '../../vault/index.ts';
import { createKeyedLock } from '../concurrency/keyed-lock.ts';
import { hasConsentVersion } from '../consents/ledger-consent.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';
import { newEnrolmentCode, normaliseEnrolmentCode } from './enrolment-code.ts';

export const ENROLMENT_CODE_LIFETIME_MS = 24 * 3600 * 1000;

/** What a wallet sends to be bound to a patient. */
export interface EnrolmentRequest {
  code: string;
  publicKey: Uint8Array;
  /** The patient's key over the chain, the custodian and itself. */
  proof: Uint8Array;
  /** X25519, to which category keys are sealed. */
  sealingKey: Uint8Array;
}

export interface Enrolment {
  issueCode(patientId: string): Promise<{ code: string; expiresAtMs: number }>;
  enrol(request: EnrolmentRequest): Promise<{ patientId: string; accountId: string }>;
}

interface Deps {
  engine: Pick<Engine, 'state'>;
  vault: Pick<Vault, 'enrolmentCodes' | 'pseudonyms' | 'read'>;
  custodian: AccountSigner;
  chainId: Uint8Array;
  nowMs: () => number;
  onBound: (patientId: string, accountId: string) => void;
}

/** Binds a patient's key to a Patient: a one-time code from the custodian, a proof of possession from the wallet. */
export function createEnrolment(deps: Deps): Enrolment {
  const oneAtATime = createKeyedLock();
  return {
    async issueCode(patientId) {
      const record = await deps.vault.read('Patient', patientId);
      if (record === undefined || record.deleted)
        throw new AppError('not-found', 'There is no such Patient here.');
      const code = newEnrolmentCode();
      const expiresAtMs = deps.nowMs() + ENROLMENT_CODE_LIFETIME_MS;
      await deps.vault.enrolmentCodes.issue({ code, patientId, expiresAtMs });
      return { code, expiresAtMs };
    },
    enrol(request) {
      const code = normaliseEnrolmentCode(request.code);
      return oneAtATime(code, () => enrol(code, request, deps));
    },
  };
}

/** The code is used up when the wallet is bound, not before: one whom the ledger could not take comes back with it. */
async function enrol(
  code: string,
  request: EnrolmentRequest,
  deps: Deps,
): Promise<{ patientId: string; accountId: string }> {
  if ((await deps.vault.enrolmentCodes.peek(code, deps.nowMs())) === undefined) throw badCode();
  checkProof(request, deps);
  const accountId = accountIdOf(request.publicKey);
  await registerPseudonym(request, accountId, deps);
  const wallet = { accountId: toHex(accountId), sealingPublicKey: request.sealingKey };
  const redeemed = await deps.vault.enrolmentCodes.redeem(code, deps.nowMs(), wallet, (id, version) =>
    hasConsentVersion(deps.engine.state, id, version),
  );
  if (redeemed === undefined) {
    await deps.vault.pseudonyms.giveUp(wallet.accountId);
    throw badCode();
  }
  const bound = { patientId: redeemed.patientId, accountId: wallet.accountId };
  deps.onBound(bound.patientId, bound.accountId);
  return bound;
}

function badCode(): AppError {
  return new AppError(
    'enrolment-refused',
    'The code is unknown, used or expired. Ask the hospital for a new one.',
  );
}

function checkProof({ publicKey, proof, sealingKey }: EnrolmentRequest, deps: Deps): void {
  const key = parsePublicKey(publicKey);
  if (!key.ok || sealingKey.length !== 32)
    throw new AppError('enrolment-refused', 'A key of this wallet is not a valid one.');
  const message = possessionMessage(deps.chainId, deps.custodian.accountId, key.value);
  if (!verifySignature(key.value, message, proof)) {
    throw new AppError('enrolment-refused', 'The wallet did not prove that it holds the key it sent.');
  }
}

/** The pseudonym of a wallet that was interrupted between ledger and vault is there already, or arrives meanwhile. */
async function registerPseudonym(
  request: EnrolmentRequest,
  accountId: Uint8Array,
  deps: Deps,
): Promise<void> {
  if (isRegistered(accountId, deps)) return;
  // Not where it is registered already: one that the vault has lost stays lost until it is bound.
  await deps.vault.pseudonyms.announce(toHex(accountId));
  const registration = { publicKey: request.publicKey, possessionProof: request.proof, roles: [] };
  try {
    await deps.custodian.submit('enrol-patient', [encodeRegistration(registration)]);
  } catch (cause) {
    if (!isRegistered(accountId, deps)) throw cause;
  }
}

function isRegistered(accountId: Uint8Array, { engine, custodian }: Deps): boolean {
  const party = readParty(engine.state, accountId);
  return party?.kind === 'patient' && equalBytes(party.organisation, custodian.accountId);
}
