import { encodeRegistration, possessionMessage, readParty } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { accountIdOf, parsePublicKey, verifySignature } from '../../identity/index.ts';
import { AppError, equalBytes, toHex } from '../../shared/index.ts';
import type { Vault } from '../../vault/index.ts';
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
  vault: Pick<Vault, 'enrolmentCodes' | 'bindings' | 'pseudonyms' | 'read'>;
  custodian: AccountSigner;
  chainId: Uint8Array;
  nowMs: () => number;
  onBound: (patientId: string, accountId: string) => void;
}

/** Binds a patient's key to a Patient: a one-time code from the custodian, a proof of possession from the wallet. */
export function createEnrolment(deps: Deps): Enrolment {
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
    enrol: (request) => enrol(request, deps),
  };
}

async function enrol(
  request: EnrolmentRequest,
  deps: Deps,
): Promise<{ patientId: string; accountId: string }> {
  const code = normaliseEnrolmentCode(request.code);
  if ((await deps.vault.enrolmentCodes.peek(code, deps.nowMs())) === undefined) throw badCode();
  checkProof(request, deps);
  const accountId = accountIdOf(request.publicKey);
  // Exactly one request gets past here with a code; before it nothing was changed.
  const redeemed = await deps.vault.enrolmentCodes.redeem(code, deps.nowMs());
  if (redeemed === undefined) throw badCode();
  await registerPseudonym(request, accountId, deps);
  const bound = { patientId: redeemed.patientId, accountId: toHex(accountId) };
  await deps.vault.bindings.put({ ...bound, sealingPublicKey: request.sealingKey });
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

/** A wallet that was interrupted between ledger and vault comes back with a new code: its pseudonym is there already. */
async function registerPseudonym(
  request: EnrolmentRequest,
  accountId: Uint8Array,
  deps: Deps,
): Promise<void> {
  const party = readParty(deps.engine.state, accountId);
  if (party?.kind === 'patient' && equalBytes(party.organisation, deps.custodian.accountId)) return;
  // Not where it is registered already: one that the vault has lost stays lost until it is bound.
  await deps.vault.pseudonyms.announce(toHex(accountId));
  const registration = { publicKey: request.publicKey, possessionProof: request.proof, roles: [] };
  await deps.custodian.submit('enrol-patient', [encodeRegistration(registration)]);
}
