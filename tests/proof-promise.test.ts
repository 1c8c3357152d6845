/** A promise to log held against the ledger: kept, broken in both ways, open, and not to be forged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNodeClient, type Fetch, verifyPromiseCase, verifyText } from '../src/client/index.ts';
import { sealJson } from '../src/client/sealed-json.ts';
import { encodeAnchorAccessLog } from '../src/contracts/index.ts';
import { actor } from '../src/contracts/testing/test-chain.ts';
import { ANCHOR_DEADLINE_MS } from '../src/node/config.ts';
import { utf8 } from '../src/shared/index.ts';
import { promiseOf } from './support/log-promise.ts';
import { ProofChain } from './support/proof-chain.ts';
import { standInNode } from './support/stand-in-node.ts';

/** Three entries, anchored, at block time 2000 ms and later. */
function anchoredChain(): ProofChain {
  const chain = new ProofChain();
  for (const text of ['a', 'b', 'c']) chain.addAccess(text);
  chain.anchorAccesses();
  return chain;
}

/** The case that a client gets; `shown` is false for a node that keeps its entries to itself. */
function caseOf(chain: ProofChain, promise: string, shown = true): Promise<string> {
  const node = standInNode(() => chain);
  const silent: Fetch = async (url, init) => {
    const answer = await node.fetch(url, init);
    const isHidden = !shown && url.includes('/ledger/proofs/access/');
    return isHidden ? Response.json({ title: 'not-found', detail: 'None.' }, { status: 404 }) : answer;
  };
  return createNodeClient({ baseUrl: 'http://node.example', fetch: silent }).promiseCase(promise);
}

test('an entry that is in the anchored log: kept', async () => {
  const chain = anchoredChain();
  const verdict = verifyText(await caseOf(chain, promiseOf(chain, 1, 'b', 1_500)));
  assert.match(verdict.statements.join('\n'), /The custodian kept its promise/);
});

test("a log too short after the deadline: broken, by the custodian's own signature", async () => {
  const chain = anchoredChain();
  const verdict = verifyText(await caseOf(chain, promiseOf(chain, 3, 'left out', 1_500)));
  assert.ok(verdict.ok);
  assert.match(
    verdict.statements.join('\n'),
    /broke its promise to log: after the deadline its anchored log has 3 entries, too few for place 3/,
  );
});

test('another entry in the promised place: broken', async () => {
  const chain = anchoredChain();
  const verdict = verifyText(await caseOf(chain, promiseOf(chain, 1, 'the truth', 1_500)));
  assert.match(verdict.statements.join('\n'), /broke its promise to log: another entry stands at place 1/);
});

test('no anchor at all after the deadline: broken', async () => {
  const chain = new ProofChain();
  chain.register('enrol-patient', chain.patient);
  const verdict = verifyText(await caseOf(chain, promiseOf(chain, 0, 'left out', 1_500)));
  assert.match(verdict.statements.join('\n'), /broke its promise/);
});

test('a custodian that declared its log lost is shown to have done so, for good', async () => {
  const chain = anchoredChain();
  const promise = promiseOf(chain, 1, 'b', 1_500);
  assert.doesNotMatch(verifyText(await caseOf(chain, promise)).statements.join(), /declared/);
  const restart = { logSize: 0, logRoot: chain.accessLog.root(0), nonce: new Uint8Array(16) };
  chain.record(chain.chain.hospital, 'restart-access-log', encodeAnchorAccessLog(restart));
  const { height } = chain.chain;
  chain.anchorAccesses();
  const verdict = verifyText(await caseOf(chain, promise));
  assert.ok(verdict.ok && verdict.promise === 'kept');
  const said = `declared once, at height ${height}, that it lost the end of its access log`;
  assert.match(verdict.statements.join(), new RegExp(said));
});

test('before the deadline nothing is held against the custodian, and without a leaf nothing is claimed', async () => {
  const chain = anchoredChain();
  const open = verifyText(await caseOf(chain, promiseOf(chain, 3, 'soon', 9_000)));
  assert.ok(open.ok && !open.statements.join().includes('broke'));
  assert.match(open.notProven.join('\n'), /Whether the promise will be kept/);
  const unshown = verifyText(await caseOf(chain, promiseOf(chain, 1, 'b', 1_500), false));
  assert.ok(unshown.ok && !unshown.statements.join().includes('broke'));
  assert.match(unshown.notProven.join('\n'), /showed no entry at the place/);
});

test('no changed byte makes a custodian a breaker of promises', async () => {
  const chain = anchoredChain();
  const text = await caseOf(chain, promiseOf(chain, 1, 'b', 1_500));
  const bytes = utf8(text);
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = bytes.with(index, (bytes[index] as number) ^ 1);
    assert.equal(verifyPromiseCase(Buffer.from(changed).toString('utf8')).ok, false, `byte ${index}`);
  }
});

test('a custodian that changed its key since is held to the promise of its old key', async () => {
  const chain = anchoredChain();
  const promise = promiseOf(chain, 3, 'left out', 1_500);
  const next = chain.rotateKey(chain.chain.hospital, actor(60));
  const verdict = verifyText(await caseOf(chain, promise));
  assert.match(verdict.statements.join('\n'), /broke its promise to log/);
  const later = promiseOf(chain, 3, 'left out again', 1_500, next);
  const byNewKey = verifyText(await caseOf(chain, later));
  assert.match(
    byNewKey.statements.join('\n'),
    /by the key [0-9a-f]{64}, its own since height 2.*broke its promise/s,
  );
  const forged = promiseOf(chain, 3, 'x', 1_500, { ...actor(61), id: chain.chain.hospital.id });
  await assert.rejects(caseOf(chain, forged), { code: 'not-found' }, 'a key that it never had');
});

test('who has a key that was replaced makes no promise that was due later', async () => {
  const chain = anchoredChain();
  const stolen = chain.chain.hospital;
  const next = chain.rotateKey(stolen, actor(60));
  const replacedMs = chain.chain.timeMs;
  chain.chain.timeMs += 62_000;
  chain.addAccess('later');
  chain.anchorAccesses(next);
  const late = verifyText(await caseOf(chain, promiseOf(chain, 900, 'never', replacedMs + 60_001, stolen)));
  assert.equal(late.code, 'promise-key-replaced');
  const inTime = promiseOf(chain, 900, 'never', replacedMs + 60_000, stolen);
  const verdict = verifyText(await caseOf(chain, inTime));
  assert.ok(verdict.ok && verdict.promise === 'broken');
  assert.match(verdict.notProven.join(), /the custodian itself signed it: it replaced this key at/);
  const text = await caseOf(chain, inTime);
  const { digest: _, custodianKey, ...members } = JSON.parse(text) as Record<string, unknown>;
  const without = sealJson({ ...members, custodianKey: { ...(custodianKey as object), rotations: [] } });
  assert.equal(verifyPromiseCase(without).code, 'signer-unproven', 'no change of key is left out');
});

test('a promise of a node whose clock is ahead is not taken for one of a stolen key when its key is replaced at once', async () => {
  const chain = anchoredChain();
  const own = chain.chain.hospital;
  const next = chain.rotateKey(own, actor(60));
  const madeMs = chain.chain.timeMs - 1_000;
  const promise = promiseOf(chain, 900, 'left out', madeMs + 3_000 + ANCHOR_DEADLINE_MS, own);
  chain.chain.timeMs += 62_000;
  chain.addAccess('later');
  chain.anchorAccesses(next);
  const verdict = verifyText(await caseOf(chain, promise));
  assert.ok(verdict.ok && verdict.promise === 'broken', verdict.code);
});

test('a custodian is held to its promise by its key and the one after it, whatever keys came later', async () => {
  const chain = anchoredChain();
  let own = chain.chain.hospital;
  const promises: string[] = [];
  for (let byte = 60; byte < 63; byte += 1) {
    promises.push(promiseOf(chain, 3, 'left out', chain.chain.timeMs, own));
    own = chain.rotateKey(own, actor(byte));
  }
  for (const [at, promise] of promises.entries()) {
    const text = await caseOf(chain, promise);
    const verdict = verifyText(text);
    assert.ok(verdict.ok && verdict.promise === 'broken', verdict.code);
    assert.equal(rotationsIn(text), at + 1);
  }
});

function rotationsIn(text: string): number {
  return (JSON.parse(text) as { custodianKey: { rotations: unknown[] } }).custodianKey.rotations.length;
}

test('a custodian that came back to an earlier key is held to it with nothing of what was in between', async () => {
  const chain = anchoredChain();
  const first = chain.chain.hospital;
  const second = chain.rotateKey(first, actor(60));
  const bySecond = promiseOf(chain, 3, 'left out', chain.chain.timeMs, second);
  const again = chain.rotateKey(second, first);
  const byFirst = promiseOf(chain, 3, 'left out', chain.chain.timeMs, again);
  chain.rotateKey(again, actor(61));
  for (const [promise, count] of [[bySecond, 2] as const, [byFirst, 1] as const]) {
    const text = await caseOf(chain, promise);
    const verdict = verifyText(text);
    assert.ok(verdict.ok && verdict.promise === 'broken', verdict.code);
    assert.equal(rotationsIn(text), count);
  }
});

test('a promise is looked at when it comes: who made it, whether the signature holds, how soon it is due', async () => {
  const chain = anchoredChain();
  const own = chain.chain.hospital;
  const node = standInNode(() => chain);
  const client = createNodeClient({ baseUrl: 'http://node.example', fetch: node.fetch });
  const receivedMs = chain.chain.timeMs;
  const received = { custodian: own.id, receivedMs };
  const good = promiseOf(chain, 3, 'soon', receivedMs + ANCHOR_DEADLINE_MS);
  await client.requireBindingPromise(good, received);
  const refused = async (promise: string, why: RegExp, custodian = own.id): Promise<void> => {
    const message = new RegExp(`binds nobody: .*${why.source}`);
    const checked = client.requireBindingPromise(promise, { custodian, receivedMs });
    await assert.rejects(checked, { code: 'proof-refused', message });
  };
  await refused(good, /another custodian/, actor(9).id);
  const in2100 = promiseOf(chain, 3, 'one day', Date.UTC(2100, 0));
  await refused(in2100, /its deadline is later/);
  const verdict = verifyText(await caseOf(chain, in2100));
  assert.match(
    verdict.notProven.join(),
    /before 2099-12-31T23:59:00.000Z, the custodian put the deadline off/,
  );
  const ofStranger = { ...actor(61), id: own.id };
  await refused(promiseOf(chain, 3, 'x', receivedMs, ofStranger), /does not show that its key/);
  await refused(promiseOf(chain, 3, 'x', receivedMs, { ...own, seed: actor(61).seed }), /signature/);
  chain.rotateKey(own, actor(60));
  chain.chain.timeMs += 100_000;
  const late = chain.chain.timeMs + ANCHOR_DEADLINE_MS;
  const byOldKey = promiseOf(chain, 3, 'x', late, own);
  const checked = client.requireBindingPromise(byOldKey, { custodian: own.id, receivedMs: late });
  await assert.rejects(checked, { code: 'proof-refused', message: /promise-key-replaced/ });
});

test('a promise by another key, and a case without its fields, are refused', async () => {
  const chain = anchoredChain();
  const text = await caseOf(chain, promiseOf(chain, 1, 'b', 1_500));
  const parsed = JSON.parse(text) as Record<string, unknown>;
  for (const name of Object.keys(parsed)) {
    const { [name]: _dropped, digest: _digest, ...rest } = parsed;
    if (name !== 'digest') assert.equal(verifyPromiseCase(sealJson(rest)).code, 'promise-malformed', name);
  }
  assert.equal(verifyPromiseCase('[').code, 'receipt-malformed');
});
