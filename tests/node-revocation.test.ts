import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createNodeClient,
  createWallet,
  enrolmentRequest,
  type NodeClient,
  type PatientKey,
  type SigningPlace,
  signDelegation,
  signGrant,
  signReplacement,
  signRevocation,
} from '../src/client/index.ts';
import { ACTIONS, encodeGrantConsent, normaliseConsent, termsCommitment } from '../src/contracts/index.ts';
import { encodeTransaction, signTransaction } from '../src/ledger/index.ts';
import { createEpochWatch } from '../src/node/consents/epoch-watch.ts';
import { createAccountSigner } from '../src/node/ledger/account-signer.ts';
import { AppError, toHex } from '../src/shared/index.ts';
import { sessionToken, startTestNode, type TestNode } from './node-fixture.ts';
import { consentTo } from './support/research-consent.ts';

const READERS = 1000;

let node: TestNode;
let client: NodeClient;
let patient: PatientKey;
const folder = mkdtempSync(join(tmpdir(), 'careledger-revocation-'));

before(async () => {
  node = await startTestNode();
  client = createNodeClient({ baseUrl: node.url });
  patient = await enrolled('chi');
});
after(async () => {
  await node.close();
  rmSync(folder, { recursive: true, force: true });
});

async function enrolled(patientId: string): Promise<PatientKey> {
  const { enrolment, custodian, chainId } = node.node.runtime;
  const wallet = await createWallet(join(folder, `${patientId}.json`));
  const { code } = await enrolment.issueCode(patientId);
  await client.enrol(enrolmentRequest(wallet.seed, custodian.accountId, chainId, code));
  return wallet.keyAt(custodian.accountId);
}

/** Grants the demo researcher what a consent can grant for chi; gives what revokes it. */
async function grant(purpose: string): Promise<{ consentId: Uint8Array; expectedVersion: number }> {
  const consent = consentTo(node.demoKey('researcher').accountId, 'chi', purpose);
  const signed = signGrant(consent, patient, await client.signingPlace(patient.accountId));
  await client.submitConsent(signed);
  return { consentId: signed.consentId, expectedVersion: 1 };
}

async function revoke(consent: { consentId: Uint8Array; expectedVersion: number }): Promise<void> {
  const signed = signRevocation(consent, await client.signingPlace(patient.accountId), patient);
  const body = JSON.stringify({ transaction: Buffer.from(signed.transaction).toString('base64') });
  const answer = await fetch(`${node.url}/wallet/consents`, { method: 'POST', body });
  assert.equal(answer.status, 201);
}

test(`no read that starts after the acknowledgement succeeds, of ${READERS} readers around a revocation`, async () => {
  const consent = await grant('HRESCH');
  const token = await node.token('researcher', 'HRESCH');
  const agent = new Agent({ keepAlive: true, maxSockets: READERS });
  const reads: { startedMs: number; status: number }[] = [];
  let acknowledgedMs = Number.POSITIVE_INFINITY;
  const readOnce = async (): Promise<number> => {
    const startedMs = performance.now();
    const status = await statusOf(`${node.url}/fhir/R4/Condition/chi-asthma`, token, agent);
    reads.push({ startedMs, status });
    return startedMs;
  };
  const reader = async (): Promise<void> => {
    // Until one read of this reader has begun after the acknowledgement.
    while ((await readOnce()) <= acknowledgedMs);
  };
  const readers = Array.from({ length: READERS }, reader);
  while (reads.length < READERS / 4) await new Promise((resolve) => setTimeout(resolve, 5));
  await revoke(consent);
  acknowledgedMs = performance.now();
  await Promise.all(readers);
  agent.destroy();

  const after = reads.filter(({ startedMs }) => startedMs > acknowledgedMs);
  const permittedBefore = reads.filter(
    ({ startedMs, status }) => startedMs <= acknowledgedMs && status === 200,
  );
  assert.ok(after.length >= READERS, `${after.length} reads began after the acknowledgement`);
  assert.ok(permittedBefore.length > 0, 'some read succeeded under the consent, or the test says nothing');
  assert.deepEqual([...new Set(after.map(({ status }) => status))], [404]);
  assert.deepEqual(
    reads.filter(({ status }) => status !== 200 && status !== 404),
    [],
  );
});

function statusOf(url: string, token: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    outgoing.on('error', reject);
  });
}

test('a search after the acknowledgement finds nothing either', async () => {
  const consent = await grant('HRESCH');
  const token = await node.token('researcher', 'HRESCH');
  const search = async () =>
    (await (await node.fhir('Condition?patient=chi', token)).json()) as { entry?: unknown[] };
  assert.equal((await search()).entry?.length, 1);
  await revoke(consent);
  assert.equal((await search()).entry?.length ?? 0, 0);
});

test('neither the hospital nor the reader nor a stranger can grant, and a grant needs its terms', async () => {
  const { engine, chainId, opened, custodian } = node.node.runtime;
  const consent = consentTo(custodian.accountHex, 'chi');
  for (const seed of [opened.keys.custodianSeed, opened.keys.operatorSeed, node.demoKey('researcher').seed]) {
    const signer = createAccountSigner({ engine, chainId, seed });
    const place = { chainId, nextSequence: 0, height: engine.head().height };
    const forged = signGrant(consent, patient, place, { accountId: signer.accountId, seed });
    await assert.rejects(client.submitConsent(forged), { code: 'forbidden' });
  }
  const real = signGrant(consent, patient, await client.signingPlace(patient.accountId));
  await assert.rejects(client.submitConsent({ transaction: real.transaction }), { code: 'invalid-consent' });
  await assert.rejects(client.submitConsent({ ...real, salt: new Uint8Array(32) }), {
    code: 'invalid-consent',
  });
  const wider = { ...consent, provision: { type: 'permit' } };
  await assert.rejects(client.submitConsent({ ...real, consent: wider }), { code: 'invalid-consent' });
  await assert.rejects(client.submit(real.transaction), { code: 'transaction-refused' });
  await client.submitConsent(real);
  await assert.rejects(
    client.submitConsent(grantUnder(real.consentId, consent, await client.signingPlace(patient.accountId))),
    { code: 'conflict' },
  );
});

/** A second grant under an id that is taken, properly signed. */
function grantUnder(
  consentId: Uint8Array,
  consent: unknown,
  place: SigningPlace,
): Parameters<NodeClient['submitConsent']>[0] {
  const terms = normaliseConsent(consent);
  assert.ok(terms.ok);
  const salt = new Uint8Array(32).fill(5);
  const { validFromMs, validUntilMs } = terms.value;
  const payload = {
    consentId,
    patient: patient.accountId,
    custodian: patient.custodian,
    validFromMs,
    validUntilMs,
    termsCommitment: termsCommitment(salt, terms.value),
  };
  const { contract, action } = ACTIONS['grant-consent'];
  const { chainId, nextSequence: sequence, height } = place;
  const draft = {
    chainId,
    contract,
    action,
    signer: patient.accountId,
    sequence,
    lastValidHeight: height + 10,
    parts: [encodeGrantConsent(payload)],
  };
  return { transaction: encodeTransaction(signTransaction(draft, patient.seed)), consent, salt };
}

test('a code enrols one wallet, once', async () => {
  const { enrolment, custodian, chainId } = node.node.runtime;
  const { code } = await enrolment.issueCode('deniz');
  const wallets = await Promise.all([1, 2, 3].map((n) => createWallet(join(folder, `deniz-${n}.json`))));
  const attempts = await Promise.allSettled(
    wallets.map((wallet) =>
      client.enrol(
        enrolmentRequest(wallet.seed, custodian.accountId, chainId, code.toLowerCase().replaceAll('-', ' ')),
      ),
    ),
  );
  assert.deepEqual(attempts.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
});

test('a code is still good where the ledger could not take the wallet', async () => {
  const { enrolment, custodian, chainId, engine } = node.node.runtime;
  const { code } = await enrolment.issueCode('deniz');
  const { seed } = await createWallet(join(folder, 'deniz-later.json'));
  const request = enrolmentRequest(seed, custodian.accountId, chainId, code);
  const submit = engine.submit;
  engine.submit = () => Promise.reject(new AppError('disk-full', 'no'));
  try {
    await assert.rejects(client.enrol(request), { code: 'disk-full' });
  } finally {
    engine.submit = submit;
  }
  await client.enrol(request);
  await assert.rejects(client.enrol(request), { code: 'enrolment-refused' });
});

test('a wallet whose code ended while the ledger took it is nobody’s, and no patient counts as lost by it', async () => {
  const { enrolment, custodian, chainId, engine, vault } = node.node.runtime;
  const { code } = await enrolment.issueCode('deniz');
  const { seed, keyAt } = await createWallet(join(folder, 'deniz-late.json'));
  const submit = engine.submit;
  engine.submit = async (...transaction) => {
    const committed = await submit(...transaction);
    await enrolment.issueCode('deniz');
    return committed;
  };
  const request = enrolmentRequest(seed, custodian.accountId, chainId, code);
  await assert.rejects(client.enrol(request), { code: 'enrolment-refused' });
  engine.submit = submit;
  assert.equal(await vault.pseudonyms.stateOf(toHex(keyAt(custodian.accountId).accountId)), 'unbound');
});

test('a wallet that another took the place of reads no more, and the code of a letter that was lost is nothing', async () => {
  const { enrolment, custodian, chainId } = node.node.runtime;
  const { code: lost } = await enrolment.issueCode('deniz');
  const first = await enrolled('deniz');
  const session = () => sessionToken(node.url, { ...first, accountId: toHex(first.accountId) });
  const token = await session();
  assert.equal((await node.fhir('Patient/deniz', token)).status, 200);
  const { seed } = await createWallet(join(folder, 'finder.json'));
  const withLost = enrolmentRequest(seed, custodian.accountId, chainId, lost);
  await assert.rejects(client.enrol(withLost), { code: 'enrolment-refused' });
  assert.equal((await node.fhir('Patient/deniz', token)).status, 200);

  rmSync(join(folder, 'deniz.json'));
  const second = await enrolled('deniz');
  rmSync(join(folder, 'deniz.json'));
  assert.equal((await node.fhir('Patient/deniz', token)).status, 401);
  await assert.rejects(session(), /not enrolled/);
  const fresh = await sessionToken(node.url, { ...second, accountId: toHex(second.accountId) });
  assert.equal((await node.fhir('Patient/deniz', fresh)).status, 200);
});

test('who has a wallet that another took the place of can revoke, and open nothing', async () => {
  const stolen = await enrolled('deniz');
  const { accountId } = node.demoKey('insurer');
  const place = () => client.signingPlace(stolen.accountId);
  const granted = signGrant(consentTo(node.demoKey('institute').accountId, 'deniz'), stolen, await place());
  await client.submitConsent(granted);
  const opened = consentTo(accountId, 'deniz', 'HPAYMT');
  const early = signGrant(opened, stolen, await place());
  await client.depositTerms(early);
  rmSync(join(folder, 'deniz.json'));
  await enrolled('deniz');

  const consent = { consentId: granted.consentId, expectedVersion: 1 };
  const replacement = signReplacement(opened, consent, await place(), stolen);
  for (const send of [client.submitConsent, client.depositTerms])
    await assert.rejects(send(replacement), { code: 'forbidden', message: /can only be revoked/ });
  const { engine } = node.node.runtime;
  // As another node of a consortium does.
  await engine.submit(early.transaction);
  const token = await node.token('insurer', 'HPAYMT');
  assert.equal((await node.fhir('Patient/deniz', token)).status, 404);
  const late = signGrant(opened, stolen, await place());
  await engine.submit(late.transaction);
  for (const grant of [early, late])
    await assert.rejects(client.depositTerms(grant), { code: 'forbidden' }, 'also once the ledger has it');
  for (const { consentId } of [granted, early, late])
    await client.submitConsent(signRevocation({ consentId, expectedVersion: 1 }, await place(), stolen));
});

test('a revocation and a replacement give new keys, whichever door a revocation came through', async () => {
  const { vault } = node.node.runtime;
  const rotated: string[] = [];
  const rotateEpoch = vault.rotateEpoch;
  vault.rotateEpoch = async (subject, options) => {
    await rotateEpoch(subject, options);
    rotated.push(subject);
  };
  try {
    const consent = await grant('TREAT');
    const signed = signRevocation(consent, await client.signingPlace(patient.accountId), patient);
    await client.submit(signed.transaction);
    await node.node.runtime.epochs.idle();
    assert.deepEqual(rotated, ['chi']);
    await revoke(await grant('TREAT'));
    assert.deepEqual(rotated, ['chi', 'chi'], 'and before the acknowledgement, where the custodian gives it');
    const replaced = await grant('TREAT');
    assert.equal(rotated.length, 2);
    const other = consentTo(node.demoKey('researcher').accountId, 'chi', 'HRESCH');
    const place = await client.signingPlace(patient.accountId);
    await client.submitConsent(signReplacement(other, replaced, place, patient));
    assert.deepEqual(rotated, ['chi', 'chi', 'chi']);
    await revoke({ ...replaced, expectedVersion: 2 });
  } finally {
    vault.rotateEpoch = rotateEpoch;
  }
});

test('what the ledger recorded and refused is no success for who sent it', async () => {
  const { consentId } = await grant('TREAT');
  const late = { consentId, expectedVersion: 7 };
  const signed = signRevocation(late, await client.signingPlace(patient.accountId), patient);
  await assert.rejects(client.submit(signed.transaction), {
    code: 'transaction-refused',
    message: /refused this transaction/,
  });
  await revoke({ consentId, expectedVersion: 1 });
  const place = await client.signingPlace(patient.accountId);
  const nobody = signDelegation('dismiss-delegate', new Uint8Array(32), place, patient);
  await assert.rejects(client.submit(nobody.transaction), { code: 'transaction-refused' });
});

test('a revocation whose new keys fail is not acknowledged; they are made later, at the next start too', async () => {
  const { vault, engine } = node.node.runtime;
  const rotateEpoch = vault.rotateEpoch;
  const rotated: string[] = [];
  const spy = async (subject: string): Promise<void> => void rotated.push(subject);
  vault.rotateEpoch = () => Promise.reject(new AppError('disk-full', 'no'));
  try {
    const consent = await grant('TREAT');
    const signed = signRevocation(consent, await client.signingPlace(patient.accountId), patient);
    const revocation = client.submitConsent({ transaction: signed.transaction });
    await assert.rejects(revocation, {
      code: 'unavailable',
      message: /is on the ledger.*do not send it again/,
    });

    for (const expected of [['chi'], []]) {
      const onFailure = (): void => assert.fail();
      const next = createEpochWatch({ engine, vault: { ...vault, rotateEpoch: spy }, onFailure });
      await next.bringUp();
      assert.deepEqual(rotated.splice(0), expected, 'at the next start, and once');
    }
    vault.rotateEpoch = spy;
    const { height } = engine.head();
    node.node.runtime.epochs.committed(height, [new Uint8Array(32)]);
    await node.node.runtime.epochs.idle();
    assert.deepEqual(rotated, ['chi']);
  } finally {
    vault.rotateEpoch = rotateEpoch;
  }
});

test('terms can be deposited before the transaction comes another way, and count for nothing until then', async () => {
  const consent = consentTo(node.demoKey('researcher').accountId, 'chi');
  const signed = signGrant(consent, patient, await client.signingPlace(patient.accountId));
  await client.depositTerms(signed);
  const token = await node.token('researcher', 'HRESCH');
  const read = async (): Promise<number> => (await node.fhir('Condition/chi-asthma', token)).status;
  assert.notEqual(await read(), 200);
  await assert.rejects(() => client.submit(signed.transaction), { code: 'transaction-refused' });
  await node.node.runtime.engine.submit(signed.transaction);
  assert.equal(await read(), 200);
  await revoke({ consentId: signed.consentId, expectedVersion: 1 });
  assert.notEqual(await read(), 200);
});

test('terms whose transaction never came stand in the way of no others', async () => {
  const { consentId } = await grant('HRESCH');
  const to = (purpose: string) => consentTo(node.demoKey('researcher').accountId, 'chi', purpose);
  const replacement = async (purpose: string) =>
    signReplacement(
      to(purpose),
      { consentId, expectedVersion: 1 },
      await client.signingPlace(patient.accountId),
      patient,
    );
  await client.depositTerms(await replacement('TREAT'));
  const second = await replacement('HMARKT');
  await client.depositTerms(second);
  await client.depositTerms(second);
  const read = async (purpose: string): Promise<number> =>
    (await node.fhir('Condition/chi-asthma', await node.token('researcher', purpose))).status;
  assert.equal(await read('HRESCH'), 200, 'what is on the ledger counts');
  await client.submitConsent(second);
  assert.equal(await read('HMARKT'), 200);
  assert.notEqual(await read('HRESCH'), 200);
  await revoke({ consentId, expectedVersion: 2 });
});
