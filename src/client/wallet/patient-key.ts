import { x25519 } from '@noble/curves/ed25519.js';
import { provePossession } from '../../contracts/index.ts';
import {
  accountIdOf,
  derivePatientKey,
  deriveSealingKey,
  type PublicKey,
  publicKeyOf,
} from '../../identity/index.ts';
import { toHex } from '../../shared/index.ts';

/** The patient at one custodian: another key, so another pseudonym, than at any other. */
export type PatientKey = {
  readonly custodian: Uint8Array;
  readonly seed: Uint8Array;
  readonly publicKey: PublicKey;
  /** The pseudonym. */
  readonly accountId: Uint8Array;
};

export function patientKeyOf(walletSeed: Uint8Array, custodian: Uint8Array): PatientKey {
  const seed = derivePatientKey(walletSeed, custodian);
  const publicKey = publicKeyOf(seed);
  return { custodian, seed, publicKey, accountId: accountIdOf(publicKey) };
}

/** The body of POST /wallet/enrol: the one-time code, the key for this custodian, and the proof that the wallet holds it. */
export type EnrolmentRequest = {
  readonly code: string;
  readonly publicKey: string;
  readonly proof: string;
  readonly sealingKey: string;
};

export function enrolmentRequest(
  walletSeed: Uint8Array,
  custodian: Uint8Array,
  chainId: Uint8Array,
  code: string,
): EnrolmentRequest {
  const { seed, publicKey } = patientKeyOf(walletSeed, custodian);
  return {
    code,
    publicKey: toHex(publicKey),
    proof: toHex(provePossession(chainId, custodian, publicKey, seed)),
    sealingKey: toHex(x25519.getPublicKey(deriveSealingKey(walletSeed, custodian))),
  };
}
