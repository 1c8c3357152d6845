import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type CountedTransaction,
  MAX_MEMPOOL_BYTES,
  MAX_MEMPOOL_TRANSACTIONS,
  MempoolLoad,
} from './mempool-load.ts';

const MEBIBYTE = 1024 * 1024;
const MEMBERS = 4;
const GROUPS = ['organisation', 'staff', 'patients'];
/** What admission lets in has at most 4,095 entries of 68 bytes. */
const LARGEST = 280_000;

function counted(change: Partial<CountedTransaction> & { organisation?: string; group?: string } = {}) {
  const { organisation = 'a', group = 'patients', ...rest } = change;
  const holder = { organisation, group: `${organisation} ${group}` };
  return { signer: 'a signer', length: 300, isUrgent: false, ...rest, holder };
}

/** As CheckTx does: what has no room does not wait. */
function fill(load: MempoolLoad, offered: readonly CountedTransaction[]): CountedTransaction[] {
  return offered.filter((one) => {
    const hasRoom = load.hasRoomFor(one);
    if (hasRoom) load.add(one);
    return hasRoom;
  });
}

test('one signer has at most 256 transactions and 2 MiB waiting, urgent or not', () => {
  for (const isUrgent of [false, true]) {
    const load = new MempoolLoad(1);
    assert.equal(fill(load, Array(300).fill(counted({ isUrgent }))).length, 256);
    assert.equal(load.hasRoomFor(counted({ signer: 'another', isUrgent })), true);
    const large = new MempoolLoad(1);
    const halves = Array(3).fill(counted({ length: MEBIBYTE, isUrgent }));
    assert.equal(fill(large, halves).length, 2);
  }
});

const organisation = fc.constantFrom('a', 'b', 'c');
const flood = fc.array(
  fc.record({
    organisation,
    group: fc.constantFrom(...GROUPS),
    signers: fc.integer({ min: 1, max: 3000 }),
    each: fc.integer({ min: 1, max: 256 }),
    length: fc.constantFrom(300, 5_000, LARGEST),
    isUrgent: fc.boolean(),
  }),
  { minLength: 1, maxLength: 3 },
);

test('whoever floods leaves every group of all others a share, and each organisation room for the largest transaction', () => {
  fc.assert(
    fc.property(flood, (waves) => {
      const load = new MempoolLoad(MEMBERS);
      let [transactions, bytes] = [0, 0];
      for (const { signers, each, ...rest } of waves) {
        const offered = Array.from({ length: Math.min(8_000, signers * each) }, (_, at) =>
          counted({ ...rest, signer: `${rest.organisation} ${rest.group} ${at % signers}` }),
        );
        for (const { length } of fill(load, offered)) {
          transactions += 1;
          bytes += length;
        }
      }
      assert(transactions <= MAX_MEMPOOL_TRANSACTIONS && bytes <= MAX_MEMPOOL_BYTES);
      for (const group of GROUPS) {
        const honest = Array(100).fill(counted({ organisation: 'honest', group, signer: `honest ${group}` }));
        assert.equal(fill(load, honest).length, 100);
      }
      const largest = counted({
        organisation: 'honest too',
        group: 'organisation',
        length: LARGEST,
        signer: 'largest',
      });
      assert.equal(load.hasRoomFor(largest), true);
    }),
    { numRuns: 12, seed: 1 },
  );
});

test('a flood of urgent ones of forty signers leaves room for those of the others of its group', () => {
  const load = new MempoolLoad(MEMBERS);
  const junk = Array.from({ length: 20_000 }, (_, at) => counted({ signer: `${at % 40}`, isUrgent: true }));
  fill(load, junk);
  assert.equal(load.hasRoomFor(counted({ signer: 'another' })), false);
  assert.equal(load.hasRoomFor(counted({ signer: 'another', isUrgent: true })), true);
});

test('what waits already is counted, and may stay, however full the mempool is', () => {
  const load = new MempoolLoad(MEMBERS);
  for (let at = 0; at < 20_000; at++) load.add(counted({ signer: `${at}` }));
  assert.equal(load.hasRoomFor(counted({ signer: 'another' })), false);
});
