import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { ResponseApplySnapshotChunk, ResponseListSnapshots } from 'cosmjs-types/tendermint/abci/types';
import fc from 'fast-check';
import { encodeCommitVersions, NO_PATIENT } from '../../../contracts/index.ts';
import { leafHash, MerkleLog, toHex } from '../../../shared/index.ts';
import {
  enrolment,
  type SampleChain,
  sampleBytes,
  sampleChain,
  sampleSigner,
  signedAction,
} from '../../sample-chain.ts';
import { type CometBftEngine, openCometBftEngine } from '../cometbft-engine.ts';
import { AbciClient } from '../testing/abci-client.ts';
import { holdAppends } from '../testing/held-appends.ts';
import { PlayedConsensus } from '../testing/played-consensus.ts';
import { proveRange, verifyRange } from './range-proof.ts';
import { decodeChunk, decodeMetadata, encodeChunk, encodeMetadata } from './snapshot-format.ts';

type Snapshot = ResponseListSnapshots['snapshots'][number];
const ACCEPT = 1;
const REJECT = 3;
const REJECT_FORMAT = 4;
const REJECT_SENDER = 5;
const RETRY = 3;
const root = mkdtempSync(join(tmpdir(), 'careledger-snapshot-'));
after(() => rmSync(root, { recursive: true, force: true }));

test('a range of leaves verifies at its place, and nothing else does', () => {
  const sizes = fc.integer({ min: 1, max: 70 }).chain((size) =>
    fc.tuple(
      fc.constant(size),
      fc
        .integer({ min: 0, max: size - 1 })
        .chain((first) => fc.tuple(fc.constant(first), fc.integer({ min: first + 1, max: size }))),
    ),
  );
  fc.assert(
    fc.property(sizes, fc.nat(), ([size, [first, end]], choice) => {
      const history = new MerkleLog();
      const hashes = Array.from({ length: size + 3 }, (_, index) => leafHash(Uint8Array.of(index)));
      for (const hash of hashes) history.append(hash);
      const proof = proveRange(history, { first, end }, size);
      const range = hashes.slice(first, end);
      const rootHash = history.root(size);
      assert.ok(verifyRange(range, first, size, proof, rootHash));
      const at = choice % range.length;
      assert.ok(!verifyRange(range.with(at, leafHash(Uint8Array.of(99))), first, size, proof, rootHash));
      assert.ok(!verifyRange(range.slice(1), first, size, proof, rootHash));
      assert.ok(!verifyRange(range, first + 1, size, proof, rootHash));
      assert.ok(!verifyRange(range, first, size, [...proof, rootHash], rootHash));
      if (proof.length > 0) assert.ok(!verifyRange(range, first, size, proof.slice(1), rootHash));
    }),
    { seed: 1, numRuns: 300 },
  );
});

type Node = { engine: CometBftEngine; consensus: PlayedConsensus; lines: string[]; folder: string };

async function openNode(chain: SampleChain, folder = mkdtempSync(join(root, 'node-'))): Promise<Node> {
  const lines: string[] = [];
  const { genesis, operatorSeed: nodeSeed } = chain;
  const log = (line: string): void => void lines.push(line);
  const options = { folder, genesis, nodeSeed, rpcUrl: 'http://127.0.0.1:1', log, verifyWorkers: 0 };
  const engine = await openCometBftEngine(options);
  const consensus = new PlayedConsensus(await AbciClient.open(join(folder, 'abci.sock')), chain);
  return { engine, consensus, lines, folder };
}

async function closeNode({ engine, consensus }: Node): Promise<void> {
  consensus.client.close();
  await engine.close();
}

/** Blocks of about a mebibyte, so that a few of them make several chunks. */
async function fill({ consensus }: Node, chain: SampleChain, blocks: number): Promise<void> {
  const patients = Array.from({ length: 5 }, (_, at) => sampleSigner(1, `patient ${at}`));
  await consensus.block(patients.map((patient) => enrolment(chain, patient)));
  for (let block = 0; block < blocks; block++) {
    await consensus.block([]);
    await consensus.block([1, 2, 3, 4].map((at) => commitments(chain, `${block} ${at}`)));
  }
  await consensus.block([]);
  await consensus.block([]);
}

function commitments(chain: SampleChain, name: string): Uint8Array {
  const entries = Array.from({ length: 4000 }, (_, at) => ({
    pseudonym: NO_PATIENT,
    commitment: sampleBytes(at, name),
  }));
  const author = chain.custodian.accountId;
  const parts = encodeCommitVersions({ author, authorSignature: null, entries });
  return signedAction(chain, chain.custodian, 'commit-versions', parts);
}

async function list({ consensus }: Node): Promise<Snapshot[]> {
  return (await consensus.client.ask({ listSnapshots: {} })).listSnapshots?.snapshots ?? [];
}

async function load({ consensus }: Node, { height, format }: Snapshot, chunk: number): Promise<Uint8Array> {
  const answer = await consensus.client.ask({ loadSnapshotChunk: { height, format, chunk } });
  return answer.loadSnapshotChunk?.chunk ?? new Uint8Array();
}

async function offer(
  { consensus }: Node,
  snapshot: Snapshot,
  appHash: Uint8Array,
): Promise<number | undefined> {
  return (await consensus.client.ask({ offerSnapshot: { snapshot, appHash } })).offerSnapshot?.result;
}

async function apply(
  { consensus }: Node,
  index: number,
  chunk: Uint8Array,
  sender = 'honest',
): Promise<ResponseApplySnapshotChunk> {
  const answer = await consensus.client.ask({ applySnapshotChunk: { index, chunk, sender } });
  assert(answer.applySnapshotChunk !== undefined, answer.exception?.error);
  return answer.applySnapshotChunk;
}

describe('snapshots', async () => {
  const chain = sampleChain();
  const source = await openNode(chain);
  await source.consensus.initChain();
  await fill(source, chain, 4);
  after(() => closeNode(source));
  const newest = (await list(source)).at(0) as Snapshot;
  const chunks = await Promise.all(
    Array.from({ length: newest.chunks }, (_, at) => load(source, newest, at)),
  );
  const trusted = source.engine.head().appHash;

  async function withJoiner(body: (joiner: Node) => Promise<void>): Promise<void> {
    const joiner = await openNode(chain);
    try {
      await body(joiner);
    } finally {
      await closeNode(joiner);
    }
  }

  async function assertJoined(joiner: Node): Promise<void> {
    const [ours, theirs] = [joiner.engine.head(), source.engine.head()];
    assert.deepEqual([ours.height, toHex(ours.appHash)], [theirs.height, toHex(theirs.appHash)]);
    assert.deepEqual(await joiner.consensus.info(), {
      height: Number(newest.height),
      appHash: toHex(trusted),
    });
  }

  test('are offered of blocks that two others have followed, and in chunks of a bounded size', async () => {
    assert.equal(newest.height, 9n);
    assert.ok(newest.chunks > 1, 'this ledger needs several chunks');
    for (const chunk of chunks) assert.ok(chunk.length > 0 && chunk.length < 8 << 20);
    assert.equal((await load(source, newest, newest.chunks)).length, 0);
    for (const height of [7n, 8n]) assert.equal((await load(source, { ...newest, height }, 0)).length, 0);
    assert.equal((await load(source, { ...newest, format: 2 }, 0)).length, 0);
  });

  test('bring a new node to the same head, in which it finds every block, and which outlasts a restart', () =>
    withJoiner(async (joiner) => {
      let seen = 0;
      joiner.engine.onCommit(() => {
        seen += 1;
      });
      assert.equal(await offer(joiner, newest, trusted), ACCEPT);
      for (const [index, chunk] of chunks.entries())
        assert.equal((await apply(joiner, index, chunk)).result, ACCEPT);
      await assertJoined(joiner);
      assert.equal(seen, joiner.engine.head().height);
      const [block, original] = [await joiner.engine.block(3), await source.engine.block(3)];
      assert.deepEqual(block?.block, original?.block);
      await closeNode(joiner);
      const again = await openNode(chain, joiner.folder);
      await assertJoined(again);
      again.consensus.height = 9;
      const patient = sampleSigner(1, 'later patient');
      await again.consensus.block([enrolment({ ...chain, custodian: { ...chain.custodian } }, patient)]);
      await closeNode(again);
    }));

  test('with a false chunk: it is refused as it comes, its sender is named, and another’s is taken', () =>
    withJoiner(async (joiner) => {
      assert.equal(await offer(joiner, newest, trusted), ACCEPT);
      const first = chunks[0] as Uint8Array;
      const { blocks, proof } = decodeChunk(first);
      const flipped = [3, 40, 200, first.length >> 1, first.length - 1].map((place) =>
        first.map((byte, at) => (at === place ? byte ^ 1 : byte)),
      );
      const [block, ...others] = blocks as [(typeof blocks)[number], ...typeof blocks];
      const shortened = { ...block, transactions: block.transactions.slice(1), codes: block.codes.slice(1) };
      const withOtherCode = { ...block, codes: block.codes.with(0, 9) };
      const withOtherTime = { ...block, timeMs: block.timeMs + 1 };
      const changed = [shortened, withOtherCode, withOtherTime].map((one) =>
        encodeChunk({ blocks: [one, ...others], proof }),
      );
      const cut = encodeChunk({ blocks: blocks.slice(0, -1), proof });
      const wrong = [
        ...flipped,
        ...changed,
        cut,
        chunks[1] as Uint8Array,
        first.slice(0, -1),
        new Uint8Array(),
      ];
      for (const chunk of wrong) {
        const answer = await apply(joiner, 0, chunk, 'liar');
        assert.deepEqual(answer, { result: RETRY, refetchChunks: [0], rejectSenders: ['liar'] });
        assert.match(joiner.lines.at(-1) ?? '', /from node "liar", is not what the consortium agreed on/);
      }
      assert.equal(joiner.engine.head().height, 0, 'nothing of them is recorded');
      for (const [index, chunk] of chunks.entries())
        assert.equal((await apply(joiner, index, chunk)).result, ACCEPT);
      await assertJoined(joiner);
    }));

  test('that are false as a whole, of another format or older than the ledger are refused', () =>
    withJoiner(async (joiner) => {
      const other = sampleBytes(1, 'another hash');
      assert.equal(await offer(joiner, newest, other), REJECT_SENDER);
      const metadata = decodeMetadata(newest.metadata);
      const lies = [
        { ...metadata, stateRoot: other },
        { ...metadata, logRoot: other },
        { ...metadata, height: metadata.height + 1 },
        { ...metadata, chunkEnds: [...metadata.chunkEnds].reverse() },
      ];
      for (const lie of lies) {
        const snapshot = { ...newest, metadata: encodeMetadata(lie) };
        assert.equal(await offer(joiner, snapshot, trusted), REJECT_SENDER);
      }
      assert.equal(await offer(joiner, { ...newest, chunks: newest.chunks + 1 }, trusted), REJECT_SENDER);
      assert.equal(await offer(joiner, { ...newest, metadata: new Uint8Array(9) }, trusted), REJECT_SENDER);
      assert.equal(await offer(joiner, { ...newest, format: 2 }, trusted), REJECT_FORMAT);
      assert.equal(await offer(source, { ...newest, height: 8n }, trusted), REJECT);
      const { consensus } = joiner;
      const refused = await consensus.client.ask({
        applySnapshotChunk: { index: 0, chunk: chunks[0] as Uint8Array },
      });
      assert.equal(refused.applySnapshotChunk?.result, 2, 'without an offer there is nothing to apply');
    }));

  test('whose chunk is being taken over when CometBFT is started again: that ends, and the same chunk is taken once', async (t) => {
    const joiner = await openNode(chain);
    assert.equal(await offer(joiner, newest, trusted), ACCEPT);
    const held = holdAppends(t);
    const unanswered = assert.rejects(apply(joiner, 0, chunks[0] as Uint8Array), /closed/);
    await held.begun;
    joiner.consensus.client.close();
    await unanswered;
    const client = await AbciClient.open(join(joiner.folder, 'abci.sock'));
    const restarted = { ...joiner, consensus: new PlayedConsensus(client, chain) };
    const other = await AbciClient.open(join(joiner.folder, 'abci.sock'));
    const offered = offer(restarted, newest, trusted);
    await other.ask({ echo: { message: 'the offer has been read, and that the old connection is gone' } });
    other.close();
    held.release();
    try {
      assert.equal(await offered, ACCEPT);
      assert.equal(joiner.engine.head().height, 1, 'the block that was being written is there, and no other');
      for (const [index, chunk] of chunks.entries())
        assert.equal((await apply(restarted, index, chunk)).result, ACCEPT);
      await assertJoined(restarted);
    } finally {
      await closeNode(restarted);
    }
    const again = await openNode(chain, joiner.folder);
    await assertJoined(again);
    await closeNode(again);
  });

  test('that were cut short are taken up again, and CometBFT cannot begin a chain on half of one', async () => {
    const half = await openNode(chain);
    assert.equal(await offer(half, newest, trusted), ACCEPT);
    await apply(half, 0, chunks[0] as Uint8Array);
    const { height } = half.engine.head();
    assert.ok(height > 0);
    await closeNode(half);
    const joiner = await openNode(chain, half.folder);
    assert.equal((await joiner.consensus.info()).height, 0);
    assert.match((await joiner.consensus.initChain()).exception?.error ?? '', /turn state sync on again/);
    assert.equal(await offer(joiner, newest, trusted), ACCEPT);
    for (const [index, chunk] of chunks.entries())
      assert.equal((await apply(joiner, index, chunk)).result, ACCEPT);
    await assertJoined(joiner);
    await closeNode(joiner);
  });
});
