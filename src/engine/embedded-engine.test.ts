import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { encodeRotateKey, possessionMessage } from '../contracts/index.ts';
import {
  accountKey,
  RESULT_CODES,
  readAccount,
  verifyCheckpoint,
  verifyStateProof,
} from '../ledger/index.ts';
import { leafHash, verifyConsistency, verifyInclusion } from '../shared/index.ts';
import { openEmbeddedEngine } from './embedded-engine.ts';
import type { Engine } from './engine.ts';
import {
  consentGrant,
  enrolment,
  SAMPLE_TIME_MS,
  type SampleChain,
  type SampleSigner,
  sampleChain,
  sampleSigner,
  signedAction,
} from './sample-chain.ts';
import { TransactionRefusedError } from './transaction-refused.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-engine-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(root, `ledger-${++folders}`);

function open(chain: SampleChain, folder: string, extra: { queueLimit?: number } = {}): Promise<Engine> {
  return openEmbeddedEngine({
    folder,
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now: () => SAMPLE_TIME_MS + 5000,
    verifyWorkers: 1,
    ...extra,
  });
}

/** Runs `body` on an engine of its own with patients enrolled, and closes it. */
async function withEngine(
  patientCount: number,
  body: (ledger: Ledger) => Promise<void>,
  extra: { queueLimit?: number } = {},
): Promise<void> {
  const chain = sampleChain();
  const folder = newFolder();
  const engine = await open(chain, folder, extra);
  try {
    const patients = Array.from({ length: patientCount }, (_, at) => sampleSigner(1, `patient ${at}`));
    await Promise.all(patients.map((patient) => engine.submit(enrolment(chain, patient))));
    await body({ chain, folder, engine, patients });
  } finally {
    await engine.close();
  }
}

type Ledger = { chain: SampleChain; folder: string; engine: Engine; patients: SampleSigner[] };

async function refusalOf(submitted: Promise<unknown>): Promise<string> {
  try {
    await submitted;
  } catch (error) {
    assert(error instanceof TransactionRefusedError, String(error));
    return error.resultName;
  }
  assert.fail('the transaction was accepted');
}

describe('the embedded engine', () => {
  test('records transactions and proves each of them, the state, and that history only grew', () =>
    withEngine(3, async ({ chain, engine, patients: [patient] }) => {
      const before = engine.head();
      const committed = await engine.submit(consentGrant(chain, patient as SampleSigner));
      const head = engine.head();
      assert.deepEqual(
        [committed.code, committed.height, committed.leafIndex],
        [0, head.height, before.logSize],
      );
      const leaf = await engine.leaf(committed.leafIndex);
      assert(leaf !== undefined);
      const proof = engine.inclusionProof(committed.leafIndex);
      assert(verifyInclusion(leafHash(leaf), committed.leafIndex, head.logSize, proof ?? [], head.logRoot));
      const consistency = engine.consistencyProof(before.logSize, head.logSize);
      assert(
        verifyConsistency(before.logSize, head.logSize, consistency ?? [], before.logRoot, head.logRoot),
      );
      const key = accountKey((patient as SampleSigner).accountId);
      const answer = engine.stateProof(key);
      assert(answer.value !== undefined && verifyStateProof(head.stateRoot, key, answer.value, answer.proof));
      const checkpoint = verifyCheckpoint(head.checkpoint, chain.chainId, {
        operatorKey: chain.genesis.operatorKey,
      });
      assert(checkpoint.ok && checkpoint.value.checkpoint.height === head.height);
    }));

  test('finds blocks and transactions again, and says undefined for what there is not', () =>
    withEngine(2, async ({ chain, engine, patients: [patient] }) => {
      const bytes = consentGrant(chain, patient as SampleSigner);
      const committed = await engine.submit(bytes);
      const found = await engine.transaction(committed.transactionId);
      assert.deepEqual(found, { ...committed, transaction: bytes, timeMs: SAMPLE_TIME_MS + 5000 });
      const block = await engine.block(committed.height);
      assert.deepEqual(block?.head, engine.head());
      assert.deepEqual(block?.block.transactions[committed.index], bytes);
      const heights: number[] = [];
      for await (const one of engine.blocks()) heights.push(one.block.height);
      assert.deepEqual(
        heights,
        Array.from({ length: committed.height }, (_, at) => at + 1),
      );
      assert.equal(await engine.transaction(new Uint8Array(32)), undefined);
      for (const height of [0, -1, 1.5, committed.height + 1])
        assert.equal(await engine.block(height), undefined);
      for (const leaf of [-1, 0.5, committed.leafIndex + 1]) assert.equal(await engine.leaf(leaf), undefined);
      for (const size of [-1, committed.leafIndex + 2])
        assert.equal(engine.inclusionProof(0, size), undefined);
      assert.equal(engine.consistencyProof(2, 1), undefined);
    }));

  test('keeps the order of many submissions of one signer that did not wait for each other', () =>
    withEngine(1, async ({ chain, engine, patients: [patient] }) => {
      const transactions = Array.from({ length: 300 }, () => consentGrant(chain, patient as SampleSigner));
      const committed = await Promise.all(transactions.map((bytes) => engine.submit(bytes)));
      assert(committed.every(({ code }) => code === 0));
      const leaves = committed.map(({ leafIndex }) => leafIndex);
      assert.deepEqual(
        leaves,
        leaves.toSorted((a, b) => a - b),
      );
      assert(engine.head().height < 200, 'many share a block');
    }));

  test('lets a new key sign right behind its registration, and a rotated key right behind its rotation', () =>
    withEngine(0, async ({ chain, engine }) => {
      const patient = sampleSigner(1, 'newcomer');
      const next = sampleSigner(2, 'newcomer');
      const enrolled = engine.submit(enrolment(chain, patient));
      const granted = engine.submit(consentGrant(chain, patient));
      const rotated = engine.submit(rotation(chain, patient, next));
      const grantedAgain = engine.submit(consentGrant(chain, patient));
      const results = await Promise.all([enrolled, granted, rotated, grantedAgain]);
      assert.deepEqual(
        results.map(({ code }) => code),
        [0, 0, 0, 0],
      );
      assert.deepEqual(readAccount(engine.state, patient.accountId)?.publicKey, next.publicKey);
    }));

  test('gives the same answer to the same transaction, in flight, committed, and after a restart', async () => {
    const chain = sampleChain();
    const folder = newFolder();
    const first = await open(chain, folder);
    const bytes = enrolment(chain, sampleSigner(1, 'patient'));
    const [once, twice] = await Promise.all([first.submit(bytes), first.submit(bytes)]);
    assert.deepEqual(once, twice);
    assert.deepEqual(await first.submit(bytes), once);
    const { height } = first.head();
    await first.close();
    const second = await open(chain, folder);
    assert.deepEqual(await second.submit(bytes), once);
    assert.equal(second.head().height, height);
    await second.close();
  });

  test('refuses what may not enter a block, by name, and records nothing of it', () =>
    withEngine(2, async ({ chain, engine, patients }) => {
      const [patient, other] = patients as [SampleSigner, SampleSigner];
      const head = engine.head();
      await assert.rejects(engine.submit(Uint8Array.of(1, 2, 3)), { code: 'malformed-transaction' });
      assert.equal(
        await refusalOf(engine.submit(consentGrant(sampleChain(7), sampleSigner(1, 'patient 0')))),
        'wrong-chain',
      );
      assert.equal(
        await refusalOf(engine.submit(consentGrant(chain, sampleSigner(1, 'nobody')))),
        'unknown-signer',
      );
      const expired = signedAction(chain, { ...patient }, 'grant-consent', [Uint8Array.of(1)], -50_000);
      assert.equal(await refusalOf(engine.submit(expired)), 'expired');
      assert.equal(
        await refusalOf(engine.submit(consentGrant(chain, { ...patient, nextSequence: 1 }))),
        'sequence-gap',
      );
      assert.equal(
        await refusalOf(engine.submit(consentGrant(chain, { ...patient, privateKey: other.privateKey }))),
        'bad-signature',
      );
      const unknownAction = signedAction(chain, { ...patient }, 'grant-consent', [Uint8Array.of(1)]);
      assert.equal(await refusalOf(engine.submit(unknownAction)), 'malformed-payload');
      assert.deepEqual(engine.head(), head);
      assert.equal((await engine.submit(consentGrant(chain, { ...patient }))).code, 0);
      const replayed = consentGrant(chain, { ...patient }, 9);
      assert.equal(await refusalOf(engine.submit(replayed)), 'sequence-replayed');
    }));

  test('refuses one bad transaction in a crowd without harm to the others', () =>
    withEngine(20, async ({ chain, engine, patients }) => {
      const crowd = patients.map((patient, at) => {
        const signer =
          at % 4 === 0 ? { ...patient, privateKey: (patients[1] as SampleSigner).privateKey } : patient;
        return engine.submit(consentGrant(chain, signer)).then(
          () => 'recorded',
          (error: TransactionRefusedError) => error.resultName,
        );
      });
      const outcomes = await Promise.all(crowd);
      assert.deepEqual(
        outcomes,
        patients.map((_, at) => (at % 4 === 0 ? 'bad-signature' : 'recorded')),
      );
    }));

  test('records what a contract refuses, and that uses up its sequence number', () =>
    withEngine(1, async ({ chain, engine, patients }) => {
      const [patient] = patients as [SampleSigner];
      const again = enrolment(chain, patient);
      const committed = await engine.submit(again);
      assert.equal(committed.code, RESULT_CODES['party-exists']);
      assert.equal(readAccount(engine.state, chain.custodian.accountId)?.nextSequence, 2);
      assert.equal((await engine.transaction(committed.transactionId))?.code, RESULT_CODES['party-exists']);
    }));

  test('says busy when too many wait, and takes the same transaction later', () =>
    withEngine(
      1,
      async ({ chain, engine, patients: [patient] }) => {
        const transactions = Array.from({ length: 12 }, () => consentGrant(chain, patient as SampleSigner));
        const outcomes = await Promise.allSettled(transactions.map((bytes) => engine.submit(bytes)));
        const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
        assert.equal(refused.length, 2);
        for (const { reason } of refused) assert.equal(reason.code, 'busy');
        for (const bytes of transactions.slice(10)) assert.equal((await engine.submit(bytes)).code, 0);
      },
      { queueLimit: 10 },
    ));

  test('tells the listeners of a block before it tells who submitted', () =>
    withEngine(1, async ({ chain, engine, patients: [patient] }) => {
      const events: string[] = [];
      const remove = engine.onCommit((block, results, writes) => {
        events.push(
          `block ${block.height} with ${results.length} and ${writes.length > 0} at head ${engine.head().height}`,
        );
      });
      const committed = await engine.submit(consentGrant(chain, patient as SampleSigner));
      events.push('acknowledged');
      assert.deepEqual(events, [
        `block ${committed.height} with 1 and true at head ${committed.height}`,
        'acknowledged',
      ]);
      remove();
      await engine.submit(consentGrant(chain, patient as SampleSigner));
      assert.equal(events.length, 2);
    }));

  test('stops when a listener fails, rather than go on with a view that missed a block', () =>
    withEngine(1, async ({ chain, engine, patients: [patient] }) => {
      engine.onCommit(() => {
        throw new Error('a view failed');
      });
      await assert.rejects(engine.submit(consentGrant(chain, patient as SampleSigner)), { code: 'internal' });
      await assert.rejects(engine.submit(consentGrant(chain, patient as SampleSigner)), { code: 'internal' });
    }));

  test('finishes what it accepted when it is closed, and takes nothing more', async () => {
    const chain = sampleChain();
    const folder = newFolder();
    const engine = await open(chain, folder);
    const accepted = Array.from({ length: 40 }, (_, at) =>
      engine.submit(enrolment(chain, sampleSigner(1, `patient ${at}`))),
    );
    await engine.close();
    assert((await Promise.all(accepted)).every(({ code }) => code === 0));
    await assert.rejects(engine.submit(enrolment(chain, sampleSigner(1, 'late'))), { code: 'closed' });
    const again = await open(chain, folder);
    assert.equal(again.head().logSize, 40);
    await again.close();
  });
});

function rotation(chain: SampleChain, signer: SampleSigner, next: SampleSigner): Uint8Array {
  const proof = new Uint8Array(
    sign(null, possessionMessage(chain.chainId, signer.accountId, next.publicKey), next.privateKey),
  );
  const bytes = signedAction(chain, signer, 'rotate-key', [
    encodeRotateKey({ newKey: next.publicKey, possessionProof: proof }),
  ]);
  signer.privateKey = next.privateKey;
  return bytes;
}
