/** Which of several transactions with the same content is the custodian's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ActionName, encodeAnchorAccessLog, encodeCommitVersions } from '../../contracts/index.ts';
import { type Actor, actor, TestChain } from '../../contracts/testing/test-chain.ts';
import type { RecordedBlock } from '../../engine/index.ts';
import { decodeTransaction, transactionId } from '../../ledger/index.ts';
import { sha256, toHex, utf8 } from '../../shared/index.ts';
import { anchorIdIn, createRecordPlaces } from './record-places.ts';

const member = actor(3);
const patient = actor(40);
const elsewhere = actor(41);

/** A ledger of two organisations, whose blocks are kept. */
function ledger() {
  const hospital = actor(2);
  const chain = new TestChain({ organisationKeys: [hospital.publicKey, member.publicKey] });
  const blocks: RecordedBlock[] = [];
  const sequences = new Map<Actor, number>();
  chain.register(hospital, 'enrol-patient', patient);
  chain.register(member, 'enrol-patient', elsewhere);
  sequences.set(hospital, 1).set(member, 1);
  const read = { blocks: 0 };
  const sign = (by: Actor, name: ActionName, parts: Uint8Array[]): Uint8Array => {
    const sequence = sequences.get(by) ?? 0;
    sequences.set(by, sequence + 1);
    return chain.sign(by, name, parts, { sequence });
  };
  const record = (...transactions: Uint8Array[]): RecordedBlock => {
    const { results } = chain.executeForOutput(...transactions);
    const block = { height: blocks.length + 1, timeMs: chain.timeMs, transactions };
    const recorded = { block, results } as unknown as RecordedBlock;
    blocks.push(recorded);
    return recorded;
  };
  const engine = {
    head: () => ({ height: blocks.length }) as never,
    block: async (height: number) => blocks[height - 1],
    async *blocks(from = 1) {
      for (const recorded of blocks.slice(from - 1)) {
        read.blocks += 1;
        yield recorded;
      }
    },
  };
  return { hospital, sign, record, engine, read, places: createRecordPlaces(engine, hospital.id) };
}

const commitmentOf = (text: string): Uint8Array => sha256(utf8(text));
const versionOf = (text: string) => ({ commitment: commitmentOf(text), lastUpdatedMs: 0 });

const batchOf = (by: Actor, ...entries: [Actor, string][]): Uint8Array[] =>
  encodeCommitVersions({
    author: by.id,
    authorSignature: null,
    entries: entries.map(([{ id }, text]) => ({ pseudonym: id, commitment: commitmentOf(text) })),
  });

const anchorOf = (size: number, fill: number): Uint8Array =>
  encodeAnchorAccessLog({
    logSize: size,
    logRoot: new Uint8Array(32).fill(fill),
    nonce: new Uint8Array(16).fill(fill),
  });

const idOf = (bytes: Uint8Array | undefined): string => {
  const decoded = decodeTransaction(bytes as Uint8Array);
  return decoded.ok ? toHex(transactionId(decoded.value.header)) : '';
};

test('an anchor of the same size by another, or one that was refused, is not the custodian’s', () => {
  const { hospital, sign, record } = ledger();
  const root = new Uint8Array(32).fill(7);
  const others = [
    sign(patient, 'anchor-access-log', [anchorOf(5, 7)]),
    sign(member, 'anchor-access-log', [anchorOf(5, 7)]),
  ];
  const own = sign(hospital, 'anchor-access-log', [anchorOf(5, 7)]);
  const conflicting = sign(hospital, 'anchor-access-log', [anchorOf(5, 8)]);
  const block = record(...others, own, conflicting);
  assert.deepEqual(
    block.results.map(({ code }) => code),
    [100, 0, 0, 401],
  );
  const id = anchorIdIn(block, { size: 5, root }, hospital.id);
  assert.equal(id && toHex(id), idOf(own));
  const otherRoot = new Uint8Array(32).fill(8);
  assert.equal(anchorIdIn(block, { size: 5, root: otherRoot }, hospital.id), undefined);
});

test('a copy of a batch by another, or one that was refused, is not where a version stands', async () => {
  const { hospital, sign, record, places } = ledger();
  const refused = sign(hospital, 'commit-versions', batchOf(hospital, [elsewhere, 'bad'], [patient, 'good']));
  const copy = sign(member, 'commit-versions', batchOf(member, [elsewhere, 'x'], [elsewhere, 'good']));
  assert.deepEqual(
    record(refused, copy).results.map(({ code }) => code),
    [303, 0],
  );
  assert.equal(await places.of(versionOf('good')), undefined);
  const own = sign(hospital, 'commit-versions', batchOf(hospital, [patient, 'good']));
  record(own);
  const place = await places.of(versionOf('good'));
  assert.deepEqual([place && toHex(place.id), place?.entryIndex], [idOf(own), 0]);
});

test('a version is found however many blocks after it was stored, and is looked for in no block twice', async () => {
  const { hospital, sign, record, places, read } = ledger();
  for (let at = 0; at < 10_002; at += 1) record();
  assert.equal(await places.of(versionOf('late')), undefined);
  const once = read.blocks;
  assert.equal(await places.of(versionOf('late')), undefined);
  assert.equal(read.blocks, once);
  record(sign(hospital, 'commit-versions', batchOf(hospital, [patient, 'late'])));
  assert.ok(await places.of(versionOf('late')));
  assert.ok(await places.of(versionOf('late')));
  assert.equal(read.blocks, once + 1);
});
