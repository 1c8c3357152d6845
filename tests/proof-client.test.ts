/** The client of a node that lies: older, forked and foreign ledgers, false proofs, answers without end. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  createNodeClient,
  type Fetch,
  type HeadConflict,
  openPinnedHeads,
  signRevocation,
} from '../src/client/index.ts';
import { consentKey } from '../src/contracts/index.ts';
import { TestChain } from '../src/contracts/testing/test-chain.ts';
import { consortiumGenesis, founders } from '../src/ledger/consensus/testing/consortium-chain.ts';
import { AppError, toHex, utf8 } from '../src/shared/index.ts';
import { ProofChain } from './support/proof-chain.ts';
import { sampleReceipts } from './support/sample-receipts.ts';
import { standInNode } from './support/stand-in-node.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-client-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const BASE_URL = 'http://node.example';
let files = 0;

function newFile(): string {
  files += 1;
  return join(folder, `heads-${files}.json`);
}

/** A chain of `length` accesses; what comes after the first three differs with `branch`. */
function chainOf(length: number, branch: string): ProofChain {
  const chain = new ProofChain();
  for (let index = 0; index < length; index += 1) {
    chain.addAccess(index < 3 ? `shared ${index}` : `${branch} ${index}`);
    chain.anchorAccesses();
  }
  return chain;
}

test('a transaction is submitted and comes back with its verified receipt', async () => {
  const { chain, grant, patient } = sampleReceipts();
  const client = createNodeClient({
    baseUrl: `${BASE_URL}/`,
    fetch: standInNode(() => chain).fetch,
    pinnedHeads: openPinnedHeads(newFile()),
    trust: { chainId: chain.chain.chainId },
  });
  await client.head();
  const place = await client.signingPlace(patient.id);
  const { transaction, transactionId } = signRevocation(
    { consentId: grant.consentId, expectedVersion: 1 },
    place,
    { accountId: patient.id, seed: patient.seed },
  );
  const proven = await client.submit(transaction);
  assert.deepEqual(proven.verdict.transactionId, transactionId);
  assert.match(proven.verdict.statements.join(), /revoke-consent/);
  const state = await client.proveState({ table: 'consent', ids: [grant.consentId] });
  assert.match(state, new RegExp(toHex(grant.consentId)));
  assert.equal(chain.chain.state.get(consentKey(grant.consentId)) !== undefined, true);
});

test('another ledger than the trusted one, and a false head, are refused', async () => {
  const { chain } = sampleReceipts();
  const node = standInNode(() => chain);
  const foreign = createNodeClient({
    baseUrl: BASE_URL,
    fetch: node.fetch,
    trust: { chainId: new Uint8Array(32) },
  });
  await assert.rejects(foreign.head(), { code: 'wrong-genesis' });
  const client = createNodeClient({ baseUrl: BASE_URL, fetch: node.fetch });
  node.bend = (path) =>
    path === '/ledger/checkpoint' ? chain.checkpoint().replace('height', 'HEIGHT') : undefined;
  await assert.rejects(client.head(), { code: 'proof-refused' });
});

test('the receipt of another transaction, and the state of another place, are refused', async () => {
  const { chain, grant, receipts } = sampleReceipts();
  const node = standInNode(() => chain);
  const client = createNodeClient({ baseUrl: BASE_URL, fetch: node.fetch });
  node.bend = (path) =>
    path.startsWith('/ledger/receipts/')
      ? receipts['record-version']
      : path.startsWith('/ledger/proofs/state/')
        ? receipts.state
        : undefined;
  await assert.rejects(client.receipt(grant.transactionId), { code: 'proof-refused' });
  await assert.rejects(client.proveState({ table: 'consent', ids: [new Uint8Array(32)] }), {
    code: 'proof-refused',
  });
  assert.ok(await client.proveState({ table: 'consent', ids: [grant.consentId] }));
});

test('a head that goes back or forks is refused in the next run too, and both heads are named', async () => {
  const file = newFile();
  let chain = chainOf(6, 'honest');
  const clientOf = () =>
    createNodeClient({
      baseUrl: BASE_URL,
      fetch: standInNode(() => chain).fetch,
      pinnedHeads: openPinnedHeads(file),
    });
  await clientOf().head();
  chain = chainOf(8, 'honest');
  const { note } = await clientOf().head();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const isConflict = (pattern: RegExp) => (error: AppError) => {
    assert.equal(error.code, 'forked-head');
    assert.match(error.message, pattern);
    assert.match(error.message, /height \d+, \d+ entries, root [0-9a-f]{64}.*height 8, 8 entries/);
    assert.equal((error.cause as HeadConflict).pinned, note);
    return true;
  };
  chain = chainOf(7, 'honest');
  await assert.rejects(clientOf().head(), isConflict(/went back/));
  chain = chainOf(10, 'forged');
  await assert.rejects(clientOf().head(), isConflict(/does not continue/));
  chain = chainOf(8, 'forged');
  await assert.rejects(clientOf().head(), isConflict(/contradicts/));
  chain = chainOf(9, 'honest');
  assert.equal((await clientOf().head()).checkpoint.height, 9);
});

test('a node whose chain was replaced is refused in the next run, unless the new one is named', async () => {
  const file = newFile();
  const [before, later] = [new ProofChain(), new ProofChain(new TestChain(consortiumGenesis(founders(1))))];
  const clientOf = (chain: ProofChain, baseUrl = BASE_URL, trust = {}) =>
    createNodeClient({
      baseUrl,
      trust,
      fetch: standInNode(() => chain).fetch,
      pinnedHeads: openPinnedHeads(file),
    });
  await clientOf(before).genesis();
  await clientOf(before, `${BASE_URL}/`).genesis();
  await assert.rejects(clientOf(later).genesis(), { code: 'wrong-genesis', message: /was replaced/ });
  await clientOf(later, 'http://another.example').genesis();
  await clientOf(later, BASE_URL, { chainId: later.chain.chainId }).genesis();
  await clientOf(later).genesis();
  await assert.rejects(clientOf(before).genesis(), { code: 'wrong-genesis' });
});

test('a receipt under a head that goes back is refused although it verifies', async () => {
  const file = newFile();
  let { chain, grant } = sampleReceipts();
  const clientOf = () =>
    createNodeClient({
      baseUrl: BASE_URL,
      fetch: standInNode(() => chain).fetch,
      pinnedHeads: openPinnedHeads(file),
    });
  const older = chain.checkpoint();
  chain.addAccess('one more');
  chain.anchorAccesses();
  await clientOf().head();
  ({ chain, grant } = sampleReceipts());
  assert.notEqual(older, '');
  await assert.rejects(clientOf().receipt(grant.transactionId), { code: 'forked-head' });
});

test('every flipped byte of the file of pinned heads is noticed', async () => {
  const file = newFile();
  const chain = chainOf(4, 'honest');
  const heads = openPinnedHeads(file);
  await heads.accept(chain.checkpoint(), async () => []);
  const bytes = readFileSync(file);
  for (let index = 0; index < bytes.length; index += 3) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] as number) ^ 1;
    writeFileSync(file, changed);
    const outcome = await heads.pinned(chain.chain.chainId).catch((error: AppError) => error.code);
    assert.equal(outcome, 'damaged', `byte ${index}`);
  }
  writeFileSync(file, bytes);
  assert.equal(await heads.pinned(chain.chain.chainId), chain.checkpoint());
});

test('heads offered at the same time are taken one after the other', async () => {
  const heads = openPinnedHeads(newFile());
  const chain = chainOf(3, 'honest');
  const notes = [chain.checkpoint()];
  for (let index = 3; index < 8; index += 1) {
    chain.addAccess(`honest ${index}`);
    chain.anchorAccesses();
    notes.push(chain.checkpoint());
  }
  const consistency = async (from: number, to: number) => chain.chain.log.consistencyProof(from, to);
  await Promise.all(notes.map((note) => heads.accept(note, consistency)));
  assert.equal(await heads.pinned(chain.chain.chainId), notes.at(-1));
});

test("the node's refusals, silence, size and nonsense become typed errors without the path", async () => {
  const rejects = async (fetch: Fetch, code: string) => {
    const client = createNodeClient({ baseUrl: BASE_URL, fetch });
    await assert.rejects(
      client.account(new Uint8Array(32)),
      (error: AppError) =>
        error instanceof AppError && error.code === code && !error.message.includes('00000'),
    );
  };
  await rejects(
    async () => Response.json({ title: 'forbidden', detail: 'No.' }, { status: 403 }),
    'forbidden',
  );
  await rejects(async () => new Response('oops', { status: 502 }), 'unavailable');
  await rejects(async () => new Response('{"nextSequence":'), 'node-unreachable');
  await rejects(async () => Response.json({ nextSequence: -0.5 }), 'node-unreachable');
  await rejects(async () => Promise.reject(new TypeError('fetch failed')), 'node-unreachable');
  await rejects(async () => new Response(endless()), 'body-too-large');
  for (const baseUrl of ['', 'node', 'ftp://node', 'http://user@node', 'http://node/?a'])
    assert.throws(() => createNodeClient({ baseUrl }), { code: 'usage' });
});

function endless(): ReadableStream {
  const chunk = utf8('x'.repeat(1 << 20));
  return new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
}
