import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import {
  ACTIONS,
  type ActionName,
  encodeGrantConsent,
  encodeRegistration,
  possessionMessage,
} from '../contracts/index.ts';
import { accountIdOf, type PublicKey, publicKeyOf } from '../identity/index.ts';
import {
  chainIdOf,
  encodeTransaction,
  type Genesis,
  payloadRootOf,
  signingBytes,
  TRANSACTION_VERSION,
} from '../ledger/index.ts';
import { CanonicalWriter, sha256 } from '../shared/index.ts';

/** A chain with made-up keys, for tests, campaigns and benchmarks of the engine. Everything follows from the seed number. */
export type SampleChain = {
  readonly genesis: Genesis;
  readonly chainId: Uint8Array;
  readonly operatorSeed: Uint8Array;
  readonly custodian: SampleSigner;
};

/** Someone who signs, and the sequence number that comes next. */
export type SampleSigner = {
  readonly accountId: Uint8Array;
  readonly publicKey: PublicKey;
  privateKey: KeyObject;
  nextSequence: number;
};

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
export const FAR_AHEAD = 50_000;
export const SAMPLE_TIME_MS = Date.UTC(2026, 0, 1);

/** 32 bytes that follow from a seed number and a name. */
export function sampleBytes(seed: number, name: string): Uint8Array {
  return Uint8Array.from(sha256(new CanonicalWriter().u64(seed).ascii(name, 200).finish()));
}

export function sampleSigner(seed: number, name: string): SampleSigner {
  const bytes = sampleBytes(seed, name);
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, bytes]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = publicKeyOf(bytes);
  return { accountId: accountIdOf(publicKey), publicKey, privateKey, nextSequence: 0 };
}

export function sampleChain(seed = 1): SampleChain {
  const operatorSeed = sampleBytes(seed, 'operator');
  const custodian = sampleSigner(seed, 'custodian');
  const genesis = {
    networkName: 'sample',
    timeMs: SAMPLE_TIME_MS,
    operatorKey: publicKeyOf(operatorSeed),
    organisationKeys: [custodian.publicKey],
    validators: [],
  };
  return { genesis, chainId: chainIdOf(genesis), operatorSeed, custodian };
}

/** A signed transaction of a type, with the signer's next sequence number, which it uses up. */
export function signedAction(
  chain: SampleChain,
  signer: SampleSigner,
  name: ActionName,
  parts: readonly Uint8Array[],
  height = 0,
): Uint8Array {
  const { contract, action } = ACTIONS[name];
  const header = {
    version: TRANSACTION_VERSION,
    chainId: chain.chainId,
    contract,
    action,
    signer: signer.accountId,
    sequence: signer.nextSequence,
    lastValidHeight: height + FAR_AHEAD,
    payloadRoot: payloadRootOf(parts),
  };
  signer.nextSequence += 1;
  return encodeTransaction({
    header,
    parts,
    signature: new Uint8Array(sign(null, signingBytes(header), signer.privateKey)),
  });
}

/** The custodian enrols a patient's key. */
export function enrolment(chain: SampleChain, patient: SampleSigner): Uint8Array {
  const message = possessionMessage(chain.chainId, chain.custodian.accountId, patient.publicKey);
  const possessionProof = new Uint8Array(sign(null, message, patient.privateKey));
  const registration = encodeRegistration({ publicKey: patient.publicKey, possessionProof, roles: [] });
  return signedAction(chain, chain.custodian, 'enrol-patient', [registration]);
}

/** A patient grants the custodian a consent whose id follows from the patient's sequence number. */
export function consentGrant(chain: SampleChain, patient: SampleSigner, seed = 1): Uint8Array {
  const id = `consent ${patient.nextSequence} ${Buffer.from(patient.accountId).toString('hex')}`;
  const payload = encodeGrantConsent({
    consentId: sampleBytes(seed, id),
    patient: patient.accountId,
    custodian: chain.custodian.accountId,
    validFromMs: SAMPLE_TIME_MS,
    validUntilMs: SAMPLE_TIME_MS + 1_000_000_000,
    termsCommitment: sampleBytes(seed, `terms of ${id}`),
  });
  return signedAction(chain, patient, 'grant-consent', [payload]);
}
