import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../shared/index.ts';
import type { PendingCommitment, RecordKey } from '../../vault/index.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';
import { createRecordAnchor } from './record-anchor.ts';

const versionOf = (id: string): PendingCommitment => ({
  key: { resourceType: 'Observation', id, version: 1 },
  subject: null,
  commitment: new Uint8Array(32),
  author: null,
});

/** An anchor over a ledger that takes everything, and a vault whose marks `mark` makes. */
function anchorOver(mark: (keys: readonly RecordKey[]) => Promise<void>, pending: PendingCommitment[] = []) {
  let submitted = 0;
  const submit = async () => {
    submitted += 1;
    return undefined as never;
  };
  const anchor = createRecordAnchor({
    vault: { pendingCommitments: async () => pending.splice(0), markAnchored: mark },
    bindings: { byPatient: async () => undefined },
    custodian: { accountId: new Uint8Array(32), submit } as unknown as AccountSigner,
  });
  return { anchor, submitted: () => submitted };
}

test('a version is anchored when it is on the ledger; the mark is waited for at the end', async () => {
  const marked: string[] = [];
  const { promise: disk, resolve: free } = Promise.withResolvers<void>();
  const { anchor, submitted } = anchorOver(async (keys) => {
    await disk;
    marked.push(...keys.map(({ id }) => id));
  });
  await anchor.anchor([versionOf('a'), versionOf('b')]);
  await anchor.anchor([versionOf('c')]);
  assert.equal(submitted(), 2);
  assert.deepEqual(marked, []);
  free();
  await anchor.idle();
  assert.deepEqual(marked, ['a', 'b', 'c']);
});

test('a mark that fails takes nothing back: the version is on the ledger', async () => {
  const { anchor } = anchorOver(() => Promise.reject(new AppError('disk-full', 'no')));
  await anchor.anchor([versionOf('a')]);
  await anchor.idle();
});

test('what a crash left is anchored and marked, or the failure is told', async () => {
  const marked: string[] = [];
  const whole = anchorOver(async (keys) => void marked.push(...keys.map(({ id }) => id)), [versionOf('a')]);
  assert.equal(await whole.anchor.anchorPending(), 1);
  assert.deepEqual(marked, ['a']);
  const failing = anchorOver(() => Promise.reject(new AppError('disk-full', 'no')), [versionOf('a')]);
  await assert.rejects(failing.anchor.anchorPending(), { code: 'disk-full' });
});
