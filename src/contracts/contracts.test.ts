import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signMessage } from '../identity/index.ts';
import { MAX_VALID_BLOCKS, RESULT_CODES, readAccount } from '../ledger/index.ts';
import { sha256 } from '../shared/index.ts';
import {
  ACTIONS,
  encodeAnchorAccessLog,
  encodeCommitVersions,
  encodeDelegation,
  encodeGrantConsent,
  encodeRecordErasure,
  encodeRegistration,
  encodeReplaceConsent,
  encodeRevokeConsent,
  encodeRotateKey,
  encodeSuspension,
  extendRecordChain,
  NO_PATIENT,
  provePossession,
  readAccessAnchor,
  readConsent,
  readParty,
  readRecordChain,
  signAsAuthor,
} from './index.ts';
import { type Actor, actor, TestChain } from './testing/test-chain.ts';

const [patient, other, clinician, outsider] = [actor(10), actor(11), actor(12), actor(13)];
const consentId = sha256(Uint8Array.of(1));

function hospitalChain(): TestChain {
  const chain = new TestChain();
  assert.equal(chain.register(chain.hospital, 'enrol-patient', patient), 'ok');
  assert.equal(chain.register(chain.hospital, 'enrol-patient', other), 'ok');
  assert.equal(chain.register(chain.hospital, 'register-practitioner', clinician, ['physician']), 'ok');
  return chain;
}

function grant(chain: TestChain, change: Partial<Parameters<typeof encodeGrantConsent>[0]> = {}): Uint8Array {
  const terms = { validFromMs: 0, validUntilMs: 10_000, termsCommitment: sha256(Uint8Array.of(2)) };
  return encodeGrantConsent({
    consentId,
    patient: patient.id,
    custodian: chain.hospital.id,
    ...terms,
    ...change,
  });
}

const revoke = (expectedVersion: number) => encodeRevokeConsent({ consentId, expectedVersion });

test('every action is in a file of its own name, and has a number of its own', () => {
  const numbers = Object.values(ACTIONS).map((action) => action.contract * 256 + action.action);
  assert.equal(new Set(numbers).size, numbers.length);
  for (const [name, action] of Object.entries(ACTIONS)) assert.equal(action.name, name);
});

test('admission refuses each thing that is wrong, by name, and changes nothing', () => {
  const chain = hospitalChain();
  const before = chain.tree.root;
  const good = chain.sign(patient, 'grant-consent', grant(chain));
  const flipped = good.slice();
  flipped[HEADER_SIGNATURE_OFFSET] = (flipped[HEADER_SIGNATURE_OFFSET] as number) ^ 1;
  const cases: [Uint8Array, string][] = [
    [chain.sign(patient, 'grant-consent', grant(chain), { sequence: 1 }), 'sequence-gap'],
    [chain.sign(patient, 'grant-consent', grant(chain), { chainId: new Uint8Array(32) }), 'wrong-chain'],
    [chain.sign(patient, 'grant-consent', grant(chain), { lastValidHeight: chain.height }), 'expired'],
    [
      chain.sign(patient, 'grant-consent', grant(chain), {
        lastValidHeight: chain.height + 2 * MAX_VALID_BLOCKS,
      }),
      'valid-too-long',
    ],
    [chain.sign(outsider, 'grant-consent', grant(chain)), 'unknown-signer'],
    [chain.sign(patient, 'grant-consent', grant(chain).slice(1)), 'malformed-payload'],
    [chain.sign({ ...patient, seed: other.seed }, 'grant-consent', grant(chain)), 'bad-signature'],
    [good.slice(1), 'malformed-transaction'],
    [flipped, 'bad-signature'],
  ];
  for (const [transaction, expected] of cases) assert.deepEqual(chain.execute(transaction), [expected]);
  assert.deepEqual(chain.tree.root, before);
  assert.deepEqual(chain.execute(good, good), ['ok', 'sequence-replayed']);
});

const HEADER_SIGNATURE_OFFSET = 115 + 3;

test('a refusal by a contract is recorded and uses up the sequence number', () => {
  const chain = hospitalChain();
  const refused = chain.sign(patient, 'revoke-consent', revoke(1));
  assert.deepEqual(chain.execute(refused), ['unknown-consent']);
  assert.equal(readAccount(chain.state, patient.id)?.nextSequence, 1);
  assert.deepEqual(chain.execute(refused), ['sequence-replayed']);
});

test('nobody but the patient, or a delegate the patient recorded, changes a consent', () => {
  const chain = hospitalChain();
  for (const stranger of [chain.hospital, clinician, other])
    assert.equal(chain.run(stranger, 'grant-consent', grant(chain)), 'not-the-patient');
  assert.equal(chain.run(patient, 'grant-consent', grant(chain)), 'ok');
  for (const stranger of [chain.hospital, clinician, other]) {
    assert.equal(chain.run(stranger, 'revoke-consent', revoke(1)), 'not-the-patient');
    const replacement = {
      consentId,
      expectedVersion: 1,
      validFromMs: 0,
      validUntilMs: 9,
      termsCommitment: NO_PATIENT,
    };
    assert.equal(
      chain.run(stranger, 'replace-consent', encodeReplaceConsent(replacement)),
      'not-the-patient',
    );
  }
  assert.equal(
    chain.run(clinician, 'appoint-delegate', encodeDelegation({ delegate: other.id })),
    'not-a-patient',
  );
  assert.equal(chain.run(patient, 'appoint-delegate', encodeDelegation({ delegate: other.id })), 'ok');
  const replacement = {
    consentId,
    expectedVersion: 1,
    validFromMs: 0,
    validUntilMs: 9,
    termsCommitment: NO_PATIENT,
  };
  assert.equal(chain.run(other, 'replace-consent', encodeReplaceConsent(replacement)), 'ok');
  assert.equal(chain.run(patient, 'dismiss-delegate', encodeDelegation({ delegate: other.id })), 'ok');
  assert.equal(chain.run(other, 'revoke-consent', revoke(2)), 'not-the-patient');
  assert.equal(chain.run(patient, 'revoke-consent', revoke(1)), 'version-conflict');
  assert.equal(chain.run(patient, 'revoke-consent', revoke(2)), 'ok');
  assert.equal(chain.run(patient, 'revoke-consent', revoke(3)), 'consent-revoked');
  assert.equal(readConsent(chain.state, consentId)?.status, 'revoked');
});

test('a consent names a time in which it is valid, the pseudonym’s own custodian, and an id of its own', () => {
  const chain = hospitalChain();
  assert.equal(chain.run(patient, 'grant-consent', grant(chain, { validUntilMs: 0 })), 'empty-validity');
  assert.equal(
    chain.run(patient, 'grant-consent', grant(chain, { custodian: outsider.id })),
    'unknown-custodian',
  );
  assert.equal(
    chain.run(clinician, 'grant-consent', grant(chain, { patient: clinician.id })),
    'not-a-patient',
  );
  assert.equal(chain.run(patient, 'grant-consent', grant(chain)), 'ok');
  assert.equal(chain.run(patient, 'grant-consent', grant(chain)), 'consent-exists');
});

test('who registers whom', () => {
  const chain = hospitalChain();
  assert.equal(chain.register(clinician, 'enrol-patient', outsider), 'not-an-organisation');
  assert.equal(chain.register(chain.hospital, 'enrol-patient', patient), 'party-exists');
  assert.equal(chain.register(chain.hospital, 'enrol-patient', outsider, ['physician']), 'unknown-role');
  const stolen = provePossession(chain.chainId, chain.hospital.id, outsider.publicKey, clinician.seed);
  const registration = encodeRegistration({
    publicKey: outsider.publicKey,
    possessionProof: stolen,
    roles: [],
  });
  assert.equal(chain.run(chain.hospital, 'enrol-patient', registration), 'bad-possession-proof');
  const weak = encodeRegistration({
    publicKey: new Uint8Array(32),
    possessionProof: new Uint8Array(64),
    roles: [],
  });
  assert.equal(chain.run(chain.hospital, 'enrol-patient', weak), 'bad-key');
  assert.equal(chain.register(chain.hospital, 'register-organisation', outsider, ['insurer']), 'ok');
  assert.deepEqual(readParty(chain.state, outsider.id)?.roles, ['insurer']);
  assert.equal(chain.register(outsider, 'register-organisation', actor(20)), 'not-permitted');
});

test('a rotated key signs from the next transaction on, and the old one no more', () => {
  const chain = hospitalChain();
  const fresh = actor(30);
  const possessionProof = provePossession(chain.chainId, clinician.id, fresh.publicKey, fresh.seed);
  const rotation = chain.sign(
    clinician,
    'rotate-key',
    encodeRotateKey({ newKey: fresh.publicKey, possessionProof }),
    { sequence: 0 },
  );
  const suspension = encodeSuspension({ accountId: patient.id });
  const withOld = chain.sign(clinician, 'suspend-party', suspension, { sequence: 1 });
  const renewed: Actor = { ...clinician, seed: fresh.seed };
  const withNew = chain.sign(renewed, 'suspend-party', suspension, { sequence: 1 });
  assert.deepEqual(chain.execute(rotation, withOld, withNew), ['ok', 'bad-signature', 'not-an-organisation']);
});

test('a suspension takes effect at once and can be ended', () => {
  const chain = hospitalChain();
  const suspension = encodeSuspension({ accountId: patient.id });
  assert.equal(
    chain.run(chain.hospital, 'suspend-party', encodeSuspension({ accountId: chain.hospital.id })),
    'own-suspension',
  );
  assert.equal(
    chain.run(chain.hospital, 'suspend-party', encodeSuspension({ accountId: outsider.id })),
    'unknown-party',
  );
  assert.equal(chain.run(chain.hospital, 'suspend-party', suspension), 'ok');
  assert.equal(chain.run(patient, 'grant-consent', grant(chain)), 'suspended-signer');
  assert.equal(chain.run(chain.hospital, 'suspend-party', suspension), 'already-suspended');
  assert.equal(chain.run(chain.hospital, 'reinstate-party', suspension), 'ok');
  assert.equal(chain.run(patient, 'grant-consent', grant(chain)), 'ok');
});

test('record versions form one chain for each pseudonym, and an author’s signature is checked', () => {
  const chain = hospitalChain();
  const entries = [patient, other, patient].map((who, index) => ({
    pseudonym: who.id,
    commitment: sha256(Uint8Array.of(index)),
  }));
  const signed = {
    author: clinician.id,
    authorSignature: signAsAuthor(chain.chainId, chain.hospital.id, entries, clinician.seed),
    entries,
  };
  assert.equal(chain.run(chain.hospital, 'commit-versions', encodeCommitVersions(signed)), 'ok');
  const empty = { count: 0, head: new Uint8Array(32) };
  const expected = extendRecordChain(
    extendRecordChain(empty, sha256(Uint8Array.of(0))),
    sha256(Uint8Array.of(2)),
  );
  assert.deepEqual(readRecordChain(chain.state, chain.hospital.id, patient.id), expected);
  const swapped = { ...signed, entries: entries.toReversed() };
  assert.equal(
    chain.run(chain.hospital, 'commit-versions', encodeCommitVersions(swapped)),
    'bad-author-signature',
  );
  assert.equal(chain.run(clinician, 'commit-versions', encodeCommitVersions(signed)), 'not-an-organisation');
  assert.equal(
    chain.run(chain.hospital, 'commit-versions', encodeCommitVersions({ ...signed, entries: [] })),
    'empty-batch',
  );
  const unknown = { author: outsider.id, authorSignature: null, entries };
  assert.equal(chain.run(chain.hospital, 'commit-versions', encodeCommitVersions(unknown)), 'unknown-author');
  const foreign = {
    author: clinician.id,
    authorSignature: null,
    entries: [{ pseudonym: clinician.id, commitment: consentId }],
  };
  assert.equal(
    chain.run(chain.hospital, 'commit-versions', encodeCommitVersions(foreign)),
    'unknown-pseudonym',
  );
});

test('an access log never shrinks and never gets another root at one size', () => {
  const chain = hospitalChain();
  const anchor = (logSize: number, byte: number) =>
    encodeAnchorAccessLog({ logSize, logRoot: sha256(Uint8Array.of(byte)), nonce: new Uint8Array(16) });
  assert.equal(chain.run(clinician, 'anchor-access-log', anchor(5, 1)), 'not-an-organisation');
  assert.equal(chain.run(chain.hospital, 'anchor-access-log', anchor(5, 1)), 'ok');
  assert.equal(chain.run(chain.hospital, 'anchor-access-log', anchor(5, 1)), 'ok');
  assert.equal(chain.run(chain.hospital, 'anchor-access-log', anchor(5, 2)), 'log-root-conflict');
  assert.equal(chain.run(chain.hospital, 'anchor-access-log', anchor(4, 1)), 'log-shrank');
  assert.equal(readAccessAnchor(chain.state, chain.hospital.id)?.logSize, 5);
});

test('only by declaring that it lost the end of its access log does a custodian begin with a shorter one', () => {
  const chain = hospitalChain();
  const head = (logSize: number, byte: number) =>
    encodeAnchorAccessLog({ logSize, logRoot: sha256(Uint8Array.of(byte)), nonce: new Uint8Array(16) });
  assert.equal(chain.run(chain.hospital, 'anchor-access-log', head(5, 1)), 'ok');
  assert.equal(chain.run(clinician, 'restart-access-log', head(3, 2)), 'not-an-organisation');
  assert.equal(readAccessAnchor(chain.state, chain.hospital.id)?.logSize, 5);
  assert.equal(chain.run(chain.hospital, 'restart-access-log', head(3, 2)), 'ok');
  assert.equal(readAccessAnchor(chain.state, chain.hospital.id)?.logSize, 3);
  assert.equal(chain.run(chain.hospital, 'anchor-access-log', head(3, 1)), 'log-root-conflict');
  assert.equal(chain.run(chain.hospital, 'anchor-access-log', head(4, 4)), 'ok');
});

test('how often a custodian declared that it lost the end of its access log, and where last, stays in its row', () => {
  const chain = hospitalChain();
  const run = (name: 'anchor-access-log' | 'restart-access-log', logSize: number): void => {
    const payload = { logSize, logRoot: new Uint8Array(32), nonce: new Uint8Array(16) };
    assert.equal(chain.run(chain.hospital, name, encodeAnchorAccessLog(payload)), 'ok');
  };
  const said = (): unknown[] => {
    const row = readAccessAnchor(chain.state, chain.hospital.id);
    return [row?.logSize, row?.restarts, row?.restartedHeight];
  };
  run('anchor-access-log', 5);
  assert.deepEqual(said(), [5, 0, 0]);
  run('restart-access-log', 3);
  assert.deepEqual(said(), [3, 1, chain.height]);
  run('restart-access-log', 3);
  const { height } = chain;
  run('anchor-access-log', 4);
  assert.deepEqual(said(), [4, 2, height]);
});

test('an erasure is of something, and by an organisation', () => {
  const chain = hospitalChain();
  const erasure = { pseudonym: patient.id, count: 2, erasureRoot: consentId };
  assert.equal(chain.run(clinician, 'record-erasure', encodeRecordErasure(erasure)), 'not-an-organisation');
  assert.equal(
    chain.run(chain.hospital, 'record-erasure', encodeRecordErasure({ ...erasure, count: 0 })),
    'nothing-erased',
  );
  assert.equal(chain.run(chain.hospital, 'record-erasure', encodeRecordErasure(erasure)), 'ok');
});

test('one chain, executed twice, has one state root and one history', () => {
  const run = () => {
    const chain = hospitalChain();
    chain.run(patient, 'grant-consent', grant(chain));
    chain.run(patient, 'revoke-consent', revoke(1));
    return { state: chain.tree.root, log: chain.log.root() };
  };
  assert.deepEqual(run(), run());
});

test('a signature for another purpose is no proof of possession', () => {
  const chain = hospitalChain();
  const possessionProof = signMessage(outsider.seed, outsider.publicKey);
  const registration = encodeRegistration({ publicKey: outsider.publicKey, possessionProof, roles: [] });
  assert.equal(chain.run(chain.hospital, 'register-device', registration), 'bad-possession-proof');
  assert.equal(RESULT_CODES['bad-possession-proof'], 105);
});
