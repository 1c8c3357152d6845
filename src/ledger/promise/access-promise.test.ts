import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountIdOf, publicKeyOf, signMessage } from '../../identity/index.ts';
import { leafHash, MerkleLog, treeRoot, utf8 } from '../../shared/index.ts';
import {
  type AccessPromise,
  decodePromise,
  encodePromise,
  isDueInTime,
  judgePromise,
  MAX_PROMISE_DELAY_MS,
  promiseOfEntry,
  signBatchPromise,
  verifyPromise,
} from './index.ts';

const SEED = new Uint8Array(32).fill(3);
const KEY = publicKeyOf(SEED);
const CUSTODIAN = accountIdOf(KEY);
const MAKER = { accountId: CUSTODIAN, publicKey: KEY };
const DEADLINE_MS = 1_800_000_000_000;

const leaves = Array.from({ length: 5 }, (_, index) => leafHash(utf8(`entry ${index}`)));

/** A log of 40 entries before a batch of five, and the promise about the batch's third. */
function promised(): { promise: AccessPromise; log: MerkleLog } {
  const log = new MerkleLog();
  for (let index = 0; index < 40; index += 1) log.append(leafHash(utf8(`before ${index}`)));
  const batchTree = new MerkleLog();
  for (const leaf of leaves) {
    log.append(leaf);
    batchTree.append(leaf);
  }
  const batch = { root: treeRoot(leaves), firstLeafIndex: 40, size: 5 };
  const sign = (message: Uint8Array) => signMessage(SEED, message);
  const promise = promiseOfEntry(MAKER, {
    leafIndex: 42,
    leafHash: leaves[2] as Uint8Array,
    batch,
    batchPath: batchTree.inclusionProof(2, 5),
    batchSignature: signBatchPromise(batch, { custodian: CUSTODIAN, anchorDeadlineMs: DEADLINE_MS, sign }),
  });
  assert.ok(promise);
  return { promise, log };
}

test('a promise verifies, travels in a header, and comes back equal', () => {
  const { promise } = promised();
  assert.ok(verifyPromise(promise));
  const back = decodePromise(encodePromise(promise));
  assert.ok(back.ok);
  assert.deepEqual(back.value, promise);
  assert.equal(
    promiseOfEntry(MAKER, { ...promise, leafHash: promise.entryHash, batchSignature: new Uint8Array(0) }),
    undefined,
  );
});

test('every changed field breaks the signature or the proof', () => {
  const { promise } = promised();
  const changed: AccessPromise[] = [
    { ...promise, entryHash: leaves[1] as Uint8Array },
    { ...promise, leafIndex: 41 },
    { ...promise, leafIndex: 39 },
    { ...promise, anchorDeadlineMs: DEADLINE_MS + 1 },
    { ...promise, custodian: new Uint8Array(32) },
    { ...promise, key: publicKeyOf(new Uint8Array(32).fill(4)) },
    { ...promise, key: new Uint8Array(32) },
    { ...promise, batch: { ...promise.batch, firstLeafIndex: 41 } },
    { ...promise, batch: { ...promise.batch, size: 6 } },
    { ...promise, batchPath: promise.batchPath.slice(1) },
  ];
  for (const other of changed) assert.ok(!verifyPromise(other));
});

test('every character changed in the header is refused, or the promise does not verify', () => {
  const text = encodePromise(promised().promise);
  for (let index = 0; index < text.length; index += 7) {
    const other = text[index] === 'A' ? 'B' : 'A';
    const decoded = decodePromise(text.slice(0, index) + other + text.slice(index + 1));
    if (decoded.ok) assert.ok(!verifyPromise(decoded.value));
  }
  for (const text of ['', '!', 'e30', 'bnVsbA', 'x'.repeat(9000)]) assert.ok(!decodePromise(text).ok);
});

test('an anchored log keeps the promise or proves it broken', () => {
  const { promise, log } = promised();
  const anchor = { logSize: 45, logRoot: log.root(45) };
  const leaf = (index: number) => ({
    hash: leaves[index] as Uint8Array,
    path: log.inclusionProof(40 + index, 45),
  });
  const late = DEADLINE_MS + 1;
  assert.equal(judgePromise(promise, { headTimeMs: 0, anchor, leaf: leaf(2) }), 'kept');
  assert.equal(judgePromise(promise, { headTimeMs: DEADLINE_MS }), 'open');
  assert.equal(judgePromise(promise, { headTimeMs: late }), 'broken');
  assert.equal(
    judgePromise(promise, { headTimeMs: late, anchor: { logSize: 42, logRoot: log.root(42) } }),
    'broken',
  );
  assert.equal(judgePromise(promise, { headTimeMs: late, anchor }), 'not-shown');
  assert.equal(
    judgePromise(promise, { headTimeMs: late, anchor, leaf: leaf(1) }),
    'not-shown',
    'a leaf of another place',
  );
  const swapped = new MerkleLog();
  for (let index = 0; index < 45; index += 1) swapped.append(leafHash(utf8(`other ${index}`)));
  const other = { hash: leafHash(utf8('other 42')), path: swapped.inclusionProof(42, 45) };
  assert.equal(
    judgePromise(promise, { headTimeMs: 0, anchor: { logSize: 45, logRoot: swapped.root(45) }, leaf: other }),
    'broken',
  );
});

test('a promise that is due later than it may be is none', () => {
  const { promise } = promised();
  const soonest = DEADLINE_MS - MAX_PROMISE_DELAY_MS;
  assert.ok(isDueInTime(promise, soonest));
  assert.ok(isDueInTime(promise, soonest - 60_000), 'by a clock that is a minute behind');
  assert.ok(!isDueInTime(promise, soonest - 60_001));
});
