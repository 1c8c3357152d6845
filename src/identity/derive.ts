import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8 } from '../shared/index.ts';

const SEED_BYTES = 32;

/**
 * The patient's signing seed for one custodian (HKDF-SHA256, RFC 5869): another key, so another pseudonym, at each, which two
 * custodians cannot connect.
 */
export function derivePatientKey(walletSeed: Uint8Array, custodianAccountId: Uint8Array): Uint8Array {
  return hkdf(sha256, walletSeed, custodianAccountId, utf8('careledger/patient-signing/v1'), SEED_BYTES);
}

/** The seed of the X25519 key to which one custodian seals the patient's category keys. */
export function deriveSealingKey(walletSeed: Uint8Array, custodianAccountId: Uint8Array): Uint8Array {
  return hkdf(sha256, walletSeed, custodianAccountId, utf8('careledger/patient-sealing/v1'), SEED_BYTES);
}
