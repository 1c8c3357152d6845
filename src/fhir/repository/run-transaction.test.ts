import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle } from '@medplum/fhirtypes';
import type { WorkQueue } from '../fhir-deps.ts';
import type { CareRepository } from './care-repository.ts';
import { runTransaction } from './run-transaction.ts';

const bundleOf = (name: string, size: number): Bundle => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry: Array.from({ length: size }, (_, at) => ({
    resource: { resourceType: 'Basic', id: `${name}-${at}`, code: {} },
    request: { method: 'PUT', url: `Basic/${name}-${at}` },
  })),
});

/** A repository of which only the transaction is asked for. */
const repository = {
  withTransaction: (work: (inside: unknown) => Promise<unknown>) => work({ ownBase: 'http://test' }),
} as unknown as CareRepository;

function queueOf(): WorkQueue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

test('large bundles take turns, a failed one too; a small one waits for none', async () => {
  const queue = queueOf();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const ran: string[] = [];
  const start = (name: string, size: number, wait?: Promise<void>) =>
    runTransaction(
      repository,
      bundleOf(name, size),
      async () => {
        if (ran.at(-1) !== name) ran.push(name);
        await wait;
        if (name === 'failing') throw new Error('refused');
        return {};
      },
      queue,
    );
  const first = start('first', 65, held);
  const failing = start('failing', 65);
  const last = start('last', 130);
  await start('small', 64);
  assert.deepEqual([...ran].sort(), ['first', 'small']);
  release();
  await assert.rejects(failing, /refused/);
  assert.equal((await first).entry?.length, 65);
  assert.equal((await last).entry?.length, 130);
  assert.deepEqual(ran.slice(2), ['failing', 'last']);
});
