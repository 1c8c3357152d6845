import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { encodeRevokeConsent } from '../../contracts/index.ts';
import { HEADER_BYTES, RESULT_CODES } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import { openEmbeddedEngine } from '../embedded-engine.ts';
import {
  consentGrant,
  enrolment,
  SAMPLE_TIME_MS,
  type SampleChain,
  type SampleSigner,
  sampleBytes,
  sampleChain,
  sampleSigner,
  signedAction,
} from '../sample-chain.ts';
import { type CometBftEngine, openCometBftEngine } from './cometbft-engine.ts';
import { MAX_KEY_CHECKS } from './key-checks.ts';
import { AbciClient, timestampOf } from './testing/abci-client.ts';
import { largeTransaction } from './testing/large-transaction.ts';
import { PlayedConsensus } from './testing/played-consensus.ts';

const ACCEPT = 1;
const REJECT = 2;
/** How often the application is killed: the first time before Commit, the last time after it. */
const ROUNDS = 5;
const root = mkdtempSync(join(tmpdir(), 'careledger-app-'));
after(() => rmSync(root, { recursive: true, force: true }));

async function withConsensus(
  body: (
    consensus: PlayedConsensus,
    chain: SampleChain,
    engine: CometBftEngine,
    lines: string[],
  ) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const chain = sampleChain();
  const folder = mkdtempSync(join(root, 'app-'));
  const engine = await openCometBftEngine({
    folder,
    genesis: chain.genesis,
    nodeSeed: chain.operatorSeed,
    rpcUrl: 'http://127.0.0.1:1',
    log: (line) => void lines.push(line),
    verifyWorkers: 0,
  });
  const client = await AbciClient.open(join(folder, 'abci.sock'));
  try {
    const consensus = new PlayedConsensus(client, chain);
    await consensus.initChain();
    await body(consensus, chain, engine, lines);
  } finally {
    client.close();
    await engine.close();
  }
}

async function withPatients(
  consensus: PlayedConsensus,
  chain: SampleChain,
  count: number,
): Promise<SampleSigner[]> {
  const patients = Array.from({ length: count }, (_, at) => sampleSigner(1, `patient ${at}`));
  await consensus.block(patients.map((patient) => enrolment(chain, patient)));
  return patients;
}

function withForgedSignature(transaction: Uint8Array): Uint8Array {
  return transaction.map((byte, index) => (index === HEADER_BYTES ? byte ^ 1 : byte));
}

function revocation(chain: SampleChain, patient: SampleSigner): Uint8Array {
  const consentId = sampleBytes(1, `consent 0 ${toHex(patient.accountId)}`);
  return signedAction(chain, patient, 'revoke-consent', [
    encodeRevokeConsent({ consentId, expectedVersion: 1 }),
  ]);
}

describe('the application', () => {
  test('refuses a genesis that is not its ledger’s', () =>
    withConsensus(async (consensus) => {
      const wrong = [
        { chainId: 'another' },
        { timeMs: SAMPLE_TIME_MS + 1 },
        { appState: {} },
        { appState: 7 },
      ];
      for (const change of wrong)
        assert.match((await consensus.initChain(change)).exception?.error ?? '', /genesis file of CometBFT/);
    }));

  test('admits to the mempool by the predicate of the ledger, with what waits already', () =>
    withConsensus(async (consensus, chain) => {
      const [patient, other] = (await withPatients(consensus, chain, 2)) as [SampleSigner, SampleSigner];
      const first = consentGrant(chain, patient);
      const second = consentGrant(chain, patient);
      const gap = consentGrant(chain, { ...other, nextSequence: 3 });
      const forged = withForgedSignature(consentGrant(chain, { ...other }));
      const codes = [
        consensus.checkTx(first),
        consensus.checkTx(second),
        consensus.checkTx(first),
        consensus.checkTx(gap),
        consensus.checkTx(forged),
        consensus.checkTx(new Uint8Array(2 << 20)),
      ];
      const { ok } = RESULT_CODES;
      assert.deepEqual(await Promise.all(codes), [
        ok,
        ok,
        ok,
        RESULT_CODES['sequence-gap'],
        RESULT_CODES['bad-signature'],
        RESULT_CODES['malformed-transaction'],
      ]);
      await consensus.block([first]);
      assert.deepEqual(
        [await consensus.checkTx(first), await consensus.checkTx(second)],
        [RESULT_CODES['sequence-replayed'], ok],
      );
    }));

  test('keeps what waits when anybody asks for its state, and forgets it with the connection', () =>
    withConsensus(async (consensus, chain, engine) => {
      const [patient] = (await withPatients(consensus, chain, 1)) as [SampleSigner];
      const { ok } = RESULT_CODES;
      const first = consentGrant(chain, patient);
      const second = consentGrant(chain, patient);
      assert.equal(await consensus.checkTx(first), ok);
      await consensus.info();
      assert.equal(await consensus.checkTx(second), ok);
      assert('path' in engine.abci);
      const later = new PlayedConsensus(await AbciClient.open(engine.abci.path), chain);
      assert.equal(await later.checkTx(second), RESULT_CODES['sequence-gap']);
      assert.equal(await later.checkTx(first), ok);
      later.client.close();
    }));

  test('refuses a proposal whose time is before the last block’s, and takes no time but that of the block', () =>
    withConsensus(async (consensus, chain, engine) => {
      const [a] = (await withPatients(consensus, chain, 1)) as [SampleSigner];
      const grant = consentGrant(chain, a);
      assert.equal(await consensus.process([grant], SAMPLE_TIME_MS), REJECT);
      const minutesAhead = SAMPLE_TIME_MS + 600_000;
      assert.equal(await consensus.process([grant], minutesAhead), ACCEPT);
      await consensus.block([grant], minutesAhead);
      assert.equal(engine.head().timeMs, minutesAhead);
    }));

  test('says which validator signed twice', () =>
    withConsensus(async (consensus, _chain, _engine, lines) => {
      const address = new Uint8Array(20).fill(0xab);
      const misbehavior = [
        {
          type: 1,
          validator: { address, power: 10n },
          height: 1n,
          time: timestampOf(SAMPLE_TIME_MS),
          totalVotingPower: 40n,
        },
      ];
      await consensus.client.ask({ finalizeBlock: { height: 1n, txs: [], misbehavior } });
      assert.match(
        lines.at(-1) ?? '',
        /^Validator (AB){20} voted twice at block 1\. Does its key run on two nodes/,
      );
    }));

  test('says what to do where CometBFT begins anew and the ledger does not', () =>
    withConsensus(async (consensus, chain) => {
      await withPatients(consensus, chain, 1);
      assert.match((await consensus.initChain()).exception?.error ?? '', /this ledger has 1 blocks already/);
    }));

  test('puts revocations first, each signer’s transactions in order, and leaves out what may not enter', () =>
    withConsensus(async (consensus, chain) => {
      const [a, b] = (await withPatients(consensus, chain, 2)) as [SampleSigner, SampleSigner];
      const grantA = consentGrant(chain, a);
      const [grantB, revokeB, laterB] = [
        consentGrant(chain, b),
        revocation(chain, b),
        consentGrant(chain, b),
      ];
      const gap = consentGrant(chain, { ...a, nextSequence: 9 });
      const packed = await consensus.prepare([grantA, gap, sampleBytes(1, 'noise'), grantB, revokeB, laterB]);
      assert.deepEqual(packed.map(toHex), [grantB, revokeB, grantA, laterB].map(toHex));
      assert.equal(await consensus.process(packed), ACCEPT);
      const { length } = grantB;
      const fewer = await consensus.prepare([grantA, grantB], length + 10);
      assert.deepEqual(fewer.map(toHex), [toHex(grantA)]);
    }));

  test('proposes as many as pass in time at the pace of the last block, and takes a proposal with more', () =>
    withConsensus(async (consensus, chain) => {
      // The last block had 100 transactions and took a second.
      const patients = await withPatients(consensus, chain, 100);
      const grants = patients.map((patient) => consentGrant(chain, patient));
      assert.deepEqual((await consensus.prepare(grants)).map(toHex), grants.slice(0, 80).map(toHex));
      assert.equal(await consensus.process(grants), ACCEPT);
      // A thousand entries are as much work as some thirty grants; one such goes in beside the others.
      const largest = largeTransaction(chain, { ...chain.custodian });
      const large = [1, 2, 3, 4].map(() => largeTransaction(chain, chain.custodian, 1000));
      assert.deepEqual((await consensus.prepare(large)).map(toHex), large.slice(0, 3).map(toHex));
      assert.equal(await consensus.process(large), ACCEPT);
      assert.deepEqual((await consensus.prepare([largest])).map(toHex), [toHex(largest)]);
    }));

  test('puts few transactions with keys to check into a block, and takes no more from another', () =>
    withConsensus(async (consensus, chain) => {
      // The next comes a tenth of a second after a block of 100, so that the pace allows all of these.
      await withPatients(consensus, chain, 100);
      const patients = Array.from({ length: MAX_KEY_CHECKS + 1 }, (_, at) =>
        sampleSigner(2, `patient ${at}`),
      );
      const enrolments = patients.map((patient) => enrolment(chain, patient));
      const soon = SAMPLE_TIME_MS + 1000 * consensus.height + 100;
      const packed = await consensus.prepare(enrolments, 20_000_000, soon);
      assert.deepEqual(packed.map(toHex), enrolments.slice(0, MAX_KEY_CHECKS).map(toHex));
      assert.equal(await consensus.process(packed, soon), ACCEPT);
      assert.equal(await consensus.process(enrolments, soon), REJECT);
    }));

  test('refuses a proposal with anything that may not enter, too many or too large', () =>
    withConsensus(async (consensus, chain, engine) => {
      const [a, b] = (await withPatients(consensus, chain, 2)) as [SampleSigner, SampleSigner];
      const before = toHex(engine.head().appHash);
      const good = consentGrant(chain, { ...a });
      const forged = withForgedSignature(consentGrant(chain, { ...b }));
      const bad = [
        [forged],
        [good, good],
        [consentGrant(chain, { ...a, nextSequence: 1 })],
        [sampleBytes(1, 'noise')],
        [good, new Uint8Array(0)],
        Array.from({ length: 4097 }, () => good),
        Array.from({ length: 5 }, () => new Uint8Array(1 << 20)),
      ];
      for (const transactions of bad) assert.equal(await consensus.process(transactions), REJECT);
      assert.equal(await consensus.process([good, revocation(chain, { ...b })]), ACCEPT);
      assert.equal(await consensus.process([]), ACCEPT);
      assert.equal(toHex(engine.head().appHash), before, 'a proposal changes nothing');
    }));

  test('stops where such a block is decided all the same, and has recorded nothing of it', () =>
    withConsensus(async (consensus, chain, engine) => {
      const [a] = (await withPatients(consensus, chain, 1)) as [SampleSigner];
      const gap = consentGrant(chain, { ...a, nextSequence: 5 });
      await assert.rejects(consensus.finalize([gap]), /may not stand in a block/);
      assert.equal(engine.head().height, 1);
      await consensus.block([consentGrant(chain, a)]);
    }));

  test('changes nothing before commit, and gives the same block the same hash however often it is finalized', () =>
    withConsensus(async (consensus, chain, engine) => {
      const [a, b] = (await withPatients(consensus, chain, 2)) as [SampleSigner, SampleSigner];
      const first = [consentGrant(chain, { ...a })];
      const second = [consentGrant(chain, { ...b }), consentGrant(chain, { ...a })];
      const once = await consensus.finalize(first);
      assert.notEqual((await consensus.finalize(second)).appHash, once.appHash);
      const head = engine.head();
      assert.equal(head.height, 1);
      assert.equal(head.logSize, 2);
      assert.deepEqual(await consensus.finalize(first), once);
      await consensus.commit();
      assert.equal(toHex(engine.head().appHash), once.appHash);
    }));

  test('takes a block without transactions as none, so an idle chain rests', () =>
    withConsensus(async (consensus, chain, engine) => {
      await withPatients(consensus, chain, 1);
      const { appHash } = await consensus.info();
      for (const _ of [1, 2, 3]) assert.equal((await consensus.block([])).appHash, appHash);
      assert.equal(engine.head().height, 1);
      assert.equal((await consensus.info()).height, 4);
    }));

  test('answers queries with proofs', () =>
    withConsensus(async (consensus, chain) => {
      await withPatients(consensus, chain, 1);
      const ask = async (path: string, data: Uint8Array = new Uint8Array()): Promise<unknown> => {
        const { query } = await consensus.client.ask({ query: { path, data } });
        return query?.code === 0 ? JSON.parse(Buffer.from(query.value).toString()) : query?.code;
      };
      const head = (await ask('/head')) as { height: number; appHash: string };
      assert.deepEqual([head.height, head.appHash], [1, (await consensus.info()).appHash]);
      const absent = (await ask('/state', sampleBytes(1, 'no key'))) as { value: null; appHash: string };
      assert.deepEqual([absent.value, absent.appHash], [null, head.appHash]);
      assert.equal(await ask('/state', new Uint8Array(3)), 2);
      assert.equal(await ask('/nothing'), 1);
    }));
});

/** An application in a process of its own, and the consensus engine's end of its socket. */
async function startChild(
  folder: string,
  height: number,
): Promise<{ child: ChildProcess; consensus: PlayedConsensus }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testing/app-child.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert(child.stdout !== null);
  await once(child.stdout, 'data');
  const consensus = new PlayedConsensus(await AbciClient.open(join(folder, 'abci.sock')), sampleChain());
  consensus.height = height;
  return { child, consensus };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close');
}

test('killed between FinalizeBlock and the end of Commit, the application recovers to one side of the block', async () => {
  const folder = mkdtempSync(join(root, 'killed-'));
  const chain = sampleChain();
  const embedded = await openEmbeddedEngine({
    folder: mkdtempSync(join(root, 'embedded-')),
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now: () => SAMPLE_TIME_MS + (embedded.head().height + 1) * 1000,
    verifyWorkers: 0,
  });
  const sides = new Set<string>();
  let { child, consensus } = await startChild(folder, 0);
  await consensus.initChain();
  for (let round = 0; round < ROUNDS; round++) {
    const transactions = [enrolment(chain, sampleSigner(1, `patient ${round}`))];
    const before = await consensus.info();
    await consensus.finalize(transactions);
    if (round > 0) {
      // The write takes about a millisecond: these rounds are killed within it, or just after, and the last one after it.
      const committed = consensus.commit().catch(() => undefined);
      await (round === ROUNDS - 1 ? committed : new Promise((resolve) => setTimeout(resolve, round - 1)));
    }
    await kill(child);
    consensus.client.close();
    ({ child, consensus } = await startChild(folder, consensus.height));
    const found = await consensus.info();
    consensus.height = found.height;
    sides.add(found.height === round ? 'before' : 'after');
    if (found.height === round) {
      assert.deepEqual(found.appHash, before.appHash, 'nothing of the block is there');
      await consensus.block(transactions);
    }
    await Promise.all(transactions.map((bytes) => embedded.submit(bytes)));
    assert.deepEqual(await consensus.info(), { height: round + 1, appHash: toHex(embedded.head().appHash) });
  }
  await kill(child);
  consensus.client.close();
  await embedded.close();
  assert.deepEqual([...sides].sort(), ['after', 'before']);
});
