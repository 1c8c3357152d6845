/** `careledger log` against a node that lies about the proof of an entry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ListedEntry, proofsOf } from '../src/cli/commands/access-proofs.ts';
import { fetchBreakGlass, fetchPages } from '../src/cli/commands/accesses.ts';
import { accessEntryReceipt } from '../src/client/index.ts';
import { actor } from '../src/contracts/testing/test-chain.ts';
import { encodeAccessEntry } from '../src/fhir/gate/index.ts';
import { listBreakGlass } from '../src/node/wallet/accesses.ts';
import { leafHash, toHex } from '../src/shared/index.ts';
import { ProofChain } from './support/proof-chain.ts';
import { sampleReceiptsOn } from './support/sample-receipts.ts';

const chain = new ProofChain();
const { receipts } = sampleReceiptsOn(chain, () => chain.head());
const owner = { chainId: chain.chain.chainId, custodian: chain.chain.hospital.id };
const again = chain.anchorAccesses();

/** An entry as an honest node lists it. */
function listed(index: number): ListedEntry {
  const bytes = chain.accessEntries[index] as Uint8Array;
  const place = { bytes, index, path: chain.accessLog.inclusionProof(index) };
  const receipt = accessEntryReceipt(chain.head(), chain.recorded(again, chain.chain.hospital), place);
  return { leafIndex: index, leafHash: toHex(leafHash(bytes)), receipt };
}

const proofOf = (entry: ListedEntry, by = owner) => proofsOf([entry], by)[0];

test('an entry is in the log only by a receipt of this entry in its place', () => {
  assert.deepEqual(proofsOf([listed(3), listed(2), listed(1)], owner), Array(3).fill('in the log'));
  assert.equal(proofOf({ ...listed(3), receipt: receipts['access-entry'] }), 'in the log');
  for (const kind of ['head', 'transaction', 'state', 'account-key', 'record-version', 'consent'] as const)
    assert.equal(proofOf({ ...listed(3), receipt: receipts[kind] }), 'REFUSED', kind);
  assert.equal(proofOf({ ...listed(3), receipt: listed(2).receipt }), 'REFUSED');
  assert.equal(proofOf({ ...listed(3), leafIndex: 2 }), 'REFUSED');
  assert.equal(proofOf({ ...listed(3), leafHash: listed(2).leafHash }), 'REFUSED');
  assert.equal(proofOf({ ...listed(3), receipt: 'none' }), 'REFUSED');
});

test('an entry is of the log of this custodian on this chain', () => {
  assert.equal(proofOf(listed(3), { ...owner, custodian: actor(9).id }), 'REFUSED');
  assert.equal(proofOf(listed(3), { ...owner, chainId: new Uint8Array(32) }), 'REFUSED');
});

test('no entry counts twice, and one that waits for its anchor is told so', () => {
  assert.deepEqual(proofsOf([listed(3), listed(3)], owner), ['in the log', 'REFUSED']);
  const waiting = { ...listed(4), receipt: null };
  assert.deepEqual(proofsOf([waiting, waiting], owner), ['not anchored yet', 'REFUSED']);
});

test('a log is asked for page by page, and a node that goes in circles is given up', async () => {
  const asked: string[] = [];
  const pages = (next: (before: number) => number | null, perPage = 2) => ({
    async call(path: string) {
      asked.push(path);
      const { searchParams } = new URL(path, 'http://node.example');
      const before = Number(searchParams.get('before') ?? 9);
      const accesses = [before - 1, before - 2].slice(0, perPage).map((index) => ({
        ...listed(3),
        leafIndex: index,
        auditEvent: null,
      }));
      const body = JSON.stringify({ total: 8, accesses, next: next(before) });
      return { status: 200, headers: new Headers(), bytes: new TextEncoder().encode(body) };
    },
  });
  const honest = pages((before) => (before > 3 ? before - 2 : null));
  const all = await fetchPages(honest, '', 100, undefined);
  assert.deepEqual([all.accesses.length, all.next, asked.length], [8, null, 4]);
  const some = await fetchPages(honest, '', 4, 7);
  assert.deepEqual([some.accesses.map(({ leafIndex }) => leafIndex), some.next], [[6, 5, 4, 3], 3]);
  const lying = [pages((before) => before), pages((before) => before - 1, 0)];
  for (const node of lying)
    await assert.rejects(fetchPages(node, '', 100, undefined), { code: 'unavailable' });
});

test('an emergency access is told however many denied ones came after, and a node that goes in circles is given up', async () => {
  const entryOf = (effect: 'permit' | 'deny', ...obligations: { kind: 'notify-patient' }[]) =>
    encodeAccessEntry({
      format: 'careledger-access/v1',
      timeMs: 1,
      custodian: 'aa'.repeat(32),
      ledgerHeight: 1,
      actor: { accountId: 'bb'.repeat(32), kind: 'practitioner', organisation: 'aa'.repeat(32), roles: [] },
      purpose: 'BTG',
      interaction: 'read',
      effect,
      reason: 'own-break-glass',
      matched: [],
      obligations,
      engineVersion: '1',
      consents: [],
      patient: 'ana',
      records: [],
    });
  const denied = entryOf('deny');
  const emergency = entryOf('permit', { kind: 'notify-patient' });
  const hashOf = { denied: leafHash(denied), emergency: leafHash(emergency) };
  const leaves = Array.from({ length: 4444 }, (_, leafIndex) =>
    leafIndex % 4000 === 7
      ? { leafIndex, leafHash: hashOf.emergency, bytes: emergency }
      : { leafIndex, leafHash: hashOf.denied, bytes: denied },
  );
  const accessLog = {
    async listBySubject(_: string, page: { beforeLeafIndex: number; limit: number }) {
      return leaves.slice(0, page.beforeLeafIndex).reverse().slice(0, page.limit);
    },
  };
  const parts = { vault: { accessLog }, receipts: { ofAccessEntry: async () => undefined }, baseUrl: '' };
  const node = parts as unknown as Parameters<typeof listBreakGlass>[0];
  const answering = (bend: (next: number | null) => number | null) => ({
    async call(path: string) {
      const query = Object.fromEntries(new URL(path, 'http://node.example').searchParams);
      const page = await listBreakGlass(node, 'ana', query);
      const bytes = new TextEncoder().encode(JSON.stringify({ ...page, next: bend(page.next) }));
      return { status: 200, headers: new Headers(), bytes };
    },
  });
  const told = await fetchBreakGlass(
    answering((next) => next),
    '',
  );
  assert.deepEqual(
    told.map(({ leafIndex }) => leafIndex),
    [4007, 7],
  );
  await assert.rejects(
    fetchBreakGlass(
      answering(() => 4444),
      '',
    ),
    { code: 'unavailable' },
  );
});
