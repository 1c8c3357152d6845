import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTIONS, type ActionName, encodeGrantConsent } from '../../contracts/index.ts';
import type { RecordedBlock } from '../../engine/index.ts';
import { encodeTransaction, RESULT_CODES, signTransaction } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import type { GrantedConsent } from '../../vault/index.ts';
import { createGrantWatch } from './grant-watch.ts';

const CUSTODIAN = new Uint8Array(32).fill(1);
const PATIENT = new Uint8Array(32).fill(2);
const idOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);
const hexOf = (...numbers: number[]): string[] => numbers.map((number) => toHex(idOf(number)));

type Code = (typeof RESULT_CODES)[keyof typeof RESULT_CODES];

function grant(consent: number, custodian = CUSTODIAN, name: ActionName = 'grant-consent'): Uint8Array {
  const payload = encodeGrantConsent({
    consentId: idOf(consent),
    patient: PATIENT,
    custodian,
    validFromMs: 0,
    validUntilMs: 1,
    termsCommitment: new Uint8Array(32),
  });
  const { contract, action } = ACTIONS[name];
  const draft = { contract, action, sequence: 0, lastValidHeight: 1, parts: [payload] };
  const ids = { chainId: new Uint8Array(32), signer: PATIENT };
  return encodeTransaction(signTransaction({ ...draft, ...ids }, new Uint8Array(32).fill(3)));
}

/** A ledger, and a vault whose writes may fail. */
function world() {
  const blocks: Pick<RecordedBlock, 'block' | 'results'>[] = [];
  const vault = { grants: [] as GrantedConsent[], height: 0, isBroken: false, isWhole: true };
  const reads: number[] = [];
  const failures: string[] = [];
  const open = () =>
    createGrantWatch({
      onGrant: () => undefined,
      engine: {
        head: () => ({ height: blocks.length }) as never,
        async *blocks(from = 1) {
          for (const recorded of blocks.slice(from - 1)) {
            reads.push(recorded.block.height);
            yield recorded as RecordedBlock;
          }
        },
      },
      noted: {
        async add(grants, height) {
          if (vault.isBroken) throw new Error('no room');
          vault.grants.push(...grants);
          vault.height = height;
        },
        of: async (account) =>
          vault.grants.filter((one) => one.account === account).map(({ consentId }) => consentId),
        height: async () => vault.height,
        isWhole: async () => vault.isWhole,
        async beginAnew() {
          vault.height = 0;
        },
      },
      custodian: CUSTODIAN,
      onFailure: () => void failures.push('failed'),
      onLoss: () => void failures.push('lost'),
    });
  const record = (transactions: Uint8Array[], code: Code = RESULT_CODES.ok) => {
    const height = blocks.length + 1;
    const block = { height, timeMs: 1, previousAppHash: new Uint8Array(32), transactions };
    const recorded = { block, results: transactions.map(() => ({ code })) };
    blocks.push(recorded);
    return recorded;
  };
  return { vault, reads, failures, open, record };
}

test('a start takes in the blocks that came since the last, once, and of them the grants to this custodian', async () => {
  const { open, record, reads, vault } = world();
  record([grant(10), grant(11, new Uint8Array(32).fill(9))]);
  record([grant(12)], RESULT_CODES['not-the-patient']);
  record([grant(13, CUSTODIAN, 'revoke-consent')]);
  const first = open();
  await first.bringUp();
  assert.deepEqual(await first.of(toHex(PATIENT)), hexOf(10));
  assert.deepEqual(await first.of(toHex(CUSTODIAN)), []);
  assert.deepEqual([reads, vault.height], [[1, 2, 3], 3]);

  const missed = record([grant(14)]);
  const second = open();
  await second.bringUp();
  assert.deepEqual(await second.of(toHex(PATIENT)), hexOf(10, 14));
  assert.deepEqual(reads, [1, 2, 3, missed.block.height]);
});

test('a vault that lost grants, or is of a later moment than the ledger, takes the blocks in again', async () => {
  const { open, record, reads, vault, failures } = world();
  record([grant(10)]);
  vault.height = 1;
  vault.isWhole = false;
  const first = open();
  await first.bringUp();
  assert.deepEqual(await first.of(toHex(PATIENT)), hexOf(10));
  assert.deepEqual([reads, vault.height, failures], [[1], 1, ['lost']]);

  vault.isWhole = true;
  vault.height = 7;
  await open().bringUp();
  assert.equal(vault.height, 1, 'block 2 is still to come');
});

test('a grant is told of from its commit on, whether or not it could be written, and is written with the next', async () => {
  const { open, record, failures, vault } = world();
  const watch = open();
  await watch.bringUp();
  const commit = (transactions: Uint8Array[]): void => {
    const { block, results } = record(transactions);
    watch.committed(block, results);
  };
  vault.isBroken = true;
  commit([grant(10)]);
  assert.deepEqual(await watch.of(toHex(PATIENT)), hexOf(10));
  commit([]);
  await watch.settle();
  assert.deepEqual([vault.height, failures.length > 0], [0, true], 'the height does not pass over it');
  assert.deepEqual(await watch.of(toHex(PATIENT)), hexOf(10));

  vault.isBroken = false;
  commit([grant(11)]);
  await watch.settle();
  assert.deepEqual(
    vault.grants.map(({ consentId }) => consentId),
    hexOf(10, 11),
  );
  assert.deepEqual(await watch.of(toHex(PATIENT)), hexOf(10, 11));
  assert.equal(vault.height, 3);
});
