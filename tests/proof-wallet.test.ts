/** The wallet: keys that differ by custodian, a file that is its owner's, signatures that the ledger takes, assertions that jose accepts. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { jwtVerify } from 'jose';
import {
  createAssertion,
  createWallet,
  enrolmentRequest,
  openWallet,
  patientKeyOf,
  signDelegation,
  signGrant,
  signReplacement,
  signRevocation,
  verifyFile,
} from '../src/client/index.ts';
import {
  decodeConsentTerms,
  encodeRegistration,
  readConsent,
  termsCommitment,
} from '../src/contracts/index.ts';
import type { Actor } from '../src/contracts/testing/test-chain.ts';
import { readAccount } from '../src/ledger/index.ts';
import { fromHex, toHex, utf8 } from '../src/shared/index.ts';
import { ProofChain } from './support/proof-chain.ts';
import { sampleConsent, sampleReceipts } from './support/sample-receipts.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-wallet-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const ENROLMENT = {
  baseUrl: 'http://node.example',
  chainId: '0a'.repeat(32),
  custodian: '0b'.repeat(32),
  accountId: '0c'.repeat(32),
  patientId: 'ana',
};
const CONSENT = {
  consentId: '0d'.repeat(32),
  custodian: ENROLMENT.custodian,
  version: 1,
  status: 'active',
  validUntilMs: 5,
  salt: '0e'.repeat(32),
  consent: {},
} as const;

test("a wallet is its owner's file, keeps what it learns, and is never written over", async () => {
  const file = join(folder, 'ana.json');
  const wallet = await createWallet(file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await assert.rejects(createWallet(file), { code: 'conflict' });
  await Promise.all([wallet.saveEnrolment(ENROLMENT), wallet.saveConsent(CONSENT)]);
  await wallet.saveConsent({ ...CONSENT, version: 2, status: 'revoked' });
  const opened = await openWallet(file);
  assert.deepEqual(opened.seed, wallet.seed);
  assert.deepEqual(opened.enrolments, [ENROLMENT]);
  assert.deepEqual(opened.consents, [{ ...CONSENT, version: 2, status: 'revoked' }]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ['ana.json'], 'no draft is left behind');
});

test('with a passphrase the seed is nowhere in the file, and only the passphrase opens it', async () => {
  const file = join(folder, 'sealed.json');
  const { seed } = await createWallet(file, { passphrase: 'correct horse battery' });
  assert.ok(!readFileSync(file, 'utf8').includes(toHex(seed)));
  assert.deepEqual((await openWallet(file, { passphrase: 'correct horse battery' })).seed, seed);
  await assert.rejects(openWallet(file, { passphrase: 'wrong horse battery' }), { code: 'wrong-passphrase' });
  await assert.rejects(openWallet(file), { code: 'passphrase-missing' });
});

test('one passphrase composed in two ways is one; what was sealed under it as it was typed opens', async () => {
  const file = join(folder, 'composed.json');
  const { seed } = await createWallet(file, { passphrase: 'cafe\u0301 horse' });
  assert.deepEqual((await openWallet(file, { passphrase: 'caf\u00e9 horse' })).seed, seed);
  const secret = {
    salt: 'Poj6TcEHEBdqUry0/qCTtA==',
    nonce: 'KiBNY3xB+2OguQnk',
    sealed: 'xqSG6k2P7/0r6OmkwAK04ScNh/KDVtknvzeKlMm3r4nG/S3XW4mTBU2FD5QfW48j',
  };
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), secret }));
  const opened = await openWallet(file, { passphrase: 'cafe\u0301 horse' });
  assert.deepEqual(opened.seed, new Uint8Array(32).fill(3));
});

test('a missing, foreign or damaged file is told apart, and no error shows a key', async () => {
  const file = join(folder, 'damaged.json');
  await assert.rejects(openWallet(file), { code: 'not-found' });
  const { seed } = await createWallet(file);
  const text = readFileSync(file, 'utf8');
  for (const changed of [
    '',
    'x',
    '{}',
    text.slice(0, -3),
    text.replace('wallet/v1', 'wallet/v2'),
    text.replace(toHex(seed), toHex(seed).slice(1)),
  ]) {
    writeFileSync(file, changed);
    await assert.rejects(
      openWallet(file),
      (error: Error & { code: string }) =>
        error.code === 'damaged' && !error.message.includes(toHex(seed).slice(1)),
    );
  }
});

test('one wallet has another pseudonym at each custodian', () => {
  const seed = new Uint8Array(32).fill(3);
  const ids = [1, 2, 3].map((byte) => toHex(patientKeyOf(seed, new Uint8Array(32).fill(byte)).accountId));
  assert.equal(new Set(ids).size, 3);
});

test('the ledger takes what a wallet signs: enrolment, grant, replacement, delegation, revocation', () => {
  const chain = new ProofChain();
  const { hospital, chainId, state } = chain.chain;
  const seed = new Uint8Array(32).fill(3);
  const key = patientKeyOf(seed, hospital.id);
  const request = enrolmentRequest(seed, hospital.id, chainId, 'CODE');
  assert.equal(fromHex(request.sealingKey)?.length, 32);
  const registration = {
    publicKey: fromHex(request.publicKey) as Uint8Array,
    possessionProof: fromHex(request.proof) as Uint8Array,
    roles: [],
  };
  chain.record(hospital, 'enrol-patient', encodeRegistration(registration));
  const place = (account: Uint8Array) => ({
    chainId,
    nextSequence: readAccount(state, account)?.nextSequence ?? -1,
    height: chain.chain.height,
  });
  const grant = signGrant(sampleConsent('ab'.repeat(32)), key, place(key.accountId));
  chain.submit(grant.transaction);
  const consent = readConsent(state, grant.consentId);
  const terms = decodeConsentTerms(grant.terms);
  assert.ok(terms.ok);
  assert.deepEqual(consent?.termsCommitment, termsCommitment(grant.salt, terms.value));
  assert.equal(consent?.validUntilMs, grant.validUntilMs);
  chain.register('enrol-patient', chain.patient);
  chain.submit(signDelegation('appoint-delegate', chain.patient.id, place(key.accountId), key).transaction);
  const delegate: Actor = chain.patient;
  const signer = { accountId: delegate.id, seed: delegate.seed };
  const replacement = signReplacement(
    sampleConsent('cd'.repeat(32)),
    { consentId: grant.consentId, expectedVersion: 1 },
    place(delegate.id),
    signer,
  );
  chain.submit(replacement.transaction);
  assert.equal(readConsent(state, grant.consentId)?.version, 2);
  assert.notDeepEqual(replacement.salt, grant.salt);
  chain.submit(
    signRevocation({ consentId: grant.consentId, expectedVersion: 2 }, place(key.accountId), key).transaction,
  );
  assert.equal(readConsent(state, grant.consentId)?.status, 'revoked');
});

test('two grants of the same consent share neither id, salt nor commitment', () => {
  const key = patientKeyOf(new Uint8Array(32).fill(3), new Uint8Array(32).fill(4));
  const place = { chainId: new Uint8Array(32), nextSequence: 0, height: 1 };
  const [first, second] = [1, 2].map(() => signGrant(sampleConsent('ab'.repeat(32)), key, place));
  assert.notDeepEqual(first?.consentId, second?.consentId);
  assert.notDeepEqual(first?.salt, second?.salt);
  assert.deepEqual(first?.terms, second?.terms);
});

test('a consent that cannot be enforced is not signed', () => {
  const key = patientKeyOf(new Uint8Array(32).fill(3), new Uint8Array(32).fill(4));
  const place = { chainId: new Uint8Array(32), nextSequence: 0, height: 1 };
  for (const consent of [
    null,
    {},
    { resourceType: 'Patient' },
    { ...(sampleConsent('ab'.repeat(32)) as object), surprise: true },
  ]) {
    assert.throws(() => signGrant(consent, key, place), { code: 'invalid-consent' });
  }
});

test('an assertion is a short-lived, single-use EdDSA JWT with IUA claims', async () => {
  const { seed, publicKey, accountId } = patientKeyOf(new Uint8Array(32).fill(3), new Uint8Array(32).fill(4));
  const claims = {
    accountId,
    audience: 'http://node.example/auth/token',
    nowMs: 1_760_000_000_000,
    purpose: 'TREAT',
    roles: ['physician'],
  };
  const [first, second] = await Promise.all([createAssertion(seed, claims), createAssertion(seed, claims)]);
  const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
  const { payload } = await jwtVerify(first, key, {
    algorithms: ['EdDSA'],
    audience: claims.audience,
    currentDate: new Date(claims.nowMs),
  });
  assert.equal(payload.iss, toHex(accountId));
  assert.equal(payload.sub, payload.iss);
  assert.ok((payload.exp ?? 0) - (payload.iat ?? 0) <= 300);
  assert.deepEqual(payload.extensions, { ihe_iua: { subject_role: ['physician'], purpose_of_use: 'TREAT' } });
  const other = await jwtVerify(second, key, { currentDate: new Date(claims.nowMs) });
  assert.notEqual(payload.jti, other.payload.jti);
});

test('a file on disk is verified, and what cannot be read is an error of its own', async () => {
  const { receipts } = sampleReceipts();
  const file = join(folder, 'receipt.json');
  writeFileSync(file, receipts.consent);
  assert.equal((await verifyFile(file)).code, 'verified');
  writeFileSync(file, utf8(receipts.consent).with(100, 0xff));
  assert.equal((await verifyFile(file)).ok, false);
  await assert.rejects(verifyFile(join(folder, 'none.json')), { code: 'not-found' });
  await assert.rejects(verifyFile(folder), { code: 'file-failed' });
  writeFileSync(file, Buffer.alloc(10 << 20));
  await assert.rejects(verifyFile(file), { code: 'body-too-large' });
});
