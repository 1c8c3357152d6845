/** One receipt of every kind, over one chain. */
import {
  accessEntryReceipt,
  accountKeyReceipt,
  consentReceipt,
  headReceipt,
  patientKeyOf,
  type ReceiptHead,
  type ReceiptKind,
  recordVersionReceipt,
  type SignedConsent,
  signGrant,
  stateReceipt,
  transactionReceipt,
} from '../../src/client/index.ts';
import { consentKey, encodeCommitVersions, type RecordEntry } from '../../src/contracts/index.ts';
import type { Actor } from '../../src/contracts/testing/test-chain.ts';
import { readAccount } from '../../src/ledger/index.ts';
import { utf8 } from '../../src/shared/index.ts';
import { recordCommitment } from '../../src/vault/index.ts';
import { type NamedWitness, ProofChain } from './proof-chain.ts';

const WALLET_SEED = new Uint8Array(32).fill(77);
export const SALT = new Uint8Array(32).fill(5);
export const RECORD = { resourceType: 'Observation', id: 'ana-hba1c', version: 1 } as const;
export const CONTENT = utf8('{"id":"ana-hba1c","resourceType":"Observation"}');

export type SampleReceipts = {
  readonly chain: ProofChain;
  readonly patient: Actor;
  readonly grant: SignedConsent;
  readonly receipts: Record<ReceiptKind, string>;
};

/** A FHIR Consent that lets one account read for treatment. */
export function sampleConsent(account: string): unknown {
  const codes = 'http://terminology.hl7.org/CodeSystem';
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: `${codes}/consentscope`, code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
    patient: { reference: 'Patient/ana' },
    policyRule: { coding: [{ system: `${codes}/v3-ActCode`, code: 'OPTIN' }] },
    provision: {
      type: 'permit',
      period: { start: '2025-01-01T00:00:00Z', end: '2030-01-01T00:00:00Z' },
      actor: [
        {
          role: { coding: [{ system: `${codes}/v3-ParticipationType`, code: 'IRCP' }] },
          reference: { reference: `urn:careledger:account:${account}` },
        },
      ],
      purpose: [{ system: `${codes}/v3-ActReason`, code: 'TREAT' }],
    },
  };
}

export function sampleReceipts(...witnesses: readonly NamedWitness[]): SampleReceipts {
  const chain = new ProofChain();
  return sampleReceiptsOn(chain, () => chain.head(...witnesses));
}

/** The same on a chain of the caller, under the head that it gives once everything is recorded. */
export function sampleReceiptsOn(chain: ProofChain, headOf: () => ReceiptHead): SampleReceipts {
  const { hospital, chainId } = chain.chain;
  const key = patientKeyOf(WALLET_SEED, hospital.id);
  const patient: Actor = { seed: key.seed, publicKey: key.publicKey, id: key.accountId };
  chain.register('enrol-patient', patient);
  chain.register('register-practitioner', chain.clinician);
  const nextSequence = readAccount(chain.chain.state, patient.id)?.nextSequence ?? 0;
  const grant = signGrant(sampleConsent('ab'.repeat(32)), key, {
    chainId,
    nextSequence,
    height: chain.chain.height,
  });
  const grantLeaf = chain.submit(grant.transaction);
  const recordLeaf = chain.record(hospital, 'commit-versions', batchOf(chain, patient));
  for (let index = 0; index < 5; index += 1) chain.addAccess(`access ${index}`);
  const anchorLeaf = chain.anchorAccesses();
  const head = headOf();
  const opening = { salt: SALT, subject: 'ana', ...RECORD, content: CONTENT };
  const place = {
    bytes: chain.accessEntries[3] as Uint8Array,
    index: 3,
    path: chain.accessLog.inclusionProof(3),
  };
  const consentState = chain.evidence(consentKey(grant.consentId));
  const receipts = {
    transaction: transactionReceipt(head, chain.recorded(grantLeaf, patient)),
    'record-version': recordVersionReceipt(head, chain.recorded(recordLeaf, hospital), 1, opening),
    'access-entry': accessEntryReceipt(head, chain.recorded(anchorLeaf, hospital), place),
    'account-key': accountKeyReceipt(head, hospital.id, chain.keyOf(hospital)),
    head: headReceipt(head),
    state: stateReceipt(
      head,
      { table: 'consent', ids: [grant.consentId] },
      consentState.value,
      consentState.proof,
    ),
    consent: consentReceipt(head, chain.recorded(grantLeaf, patient), {
      opening: { salt: grant.salt, terms: grant.terms },
      state: consentState,
    }),
  };
  return { chain, patient, grant, receipts };
}

/** Three entries, of which the second is the sample record. */
function batchOf(chain: ProofChain, patient: Actor): Uint8Array[] {
  const entries = [1, 2, 3].map(
    (byte): RecordEntry => ({
      pseudonym: patient.id,
      commitment: new Uint8Array(32).fill(byte),
    }),
  );
  entries[1] = { pseudonym: patient.id, commitment: recordCommitment(SALT, RECORD, 'ana', CONTENT) };
  return encodeCommitVersions({ author: chain.clinician.id, authorSignature: null, entries });
}
