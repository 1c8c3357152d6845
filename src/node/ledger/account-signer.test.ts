import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Committed, Engine } from '../../engine/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import { decodeTransaction, RESULT_CODES, writeAccount } from '../../ledger/index.ts';
import { AppError, type ErrorCode, toHex } from '../../shared/index.ts';
import { createAccountSigner } from './account-signer.ts';

const SEED = new Uint8Array(32).fill(7);
const ACCOUNT = accountIdOf(publicKeyOf(SEED));

/** A ledger that takes a transaction whose number comes next, once, and whose answers get lost. */
function world() {
  const values = new Map<string, Uint8Array>();
  const recorded: string[] = [];
  const handedOver: string[] = [];
  const state = { answer: undefined as ErrorCode | undefined, isTaken: true };
  const record = (bytes: Uint8Array): void => {
    const decoded = decodeTransaction(bytes);
    assert.ok(decoded.ok && decoded.value.header.sequence === recorded.length, 'a number is used once');
    recorded.push(toHex(bytes));
    const account = { publicKey: publicKeyOf(SEED), nextSequence: recorded.length, isSuspended: false };
    const set = (key: Uint8Array, value: Uint8Array): void => void values.set(toHex(key), value);
    writeAccount({ set } as never, ACCOUNT, account);
  };
  const engine = {
    state: { get: (key: Uint8Array) => values.get(toHex(key)) },
    head: () => ({ height: 1 }),
    async submit(bytes: Uint8Array): Promise<Committed> {
      handedOver.push(toHex(bytes));
      await setImmediate();
      if (state.isTaken && !recorded.includes(toHex(bytes))) record(bytes);
      if (state.answer !== undefined) throw new AppError(state.answer, 'no');
      return { code: RESULT_CODES.ok } as Committed;
    },
  } as unknown as Engine;
  const signer = createAccountSigner({ engine, chainId: new Uint8Array(32), seed: SEED });
  const submit = (byte: number) => signer.submit('anchor-access-log', [Uint8Array.of(byte)]);
  return { submit, state, recorded, handedOver };
}

/** Lets every pause end at once. */
async function withoutPauses<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  work.then(end, end);
  while (!isOver) {
    await setImmediate();
    mock.timers.tick(10_000);
  }
  return work;
}

test('what may have been taken is handed over again, the same bytes and not for ever', async (context) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  for (const answer of ['busy', 'unavailable'] as const) {
    const { submit, state, recorded, handedOver } = world();
    state.answer = answer;
    await assert.rejects(withoutPauses(submit(1)), { code: answer });
    assert.deepEqual([handedOver.length, new Set(handedOver).size, recorded.length], [3, 1, 1]);
  }
});

test('no other is signed while one may still be recorded: no two have the same number', async (context) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  const { submit, state, recorded, handedOver } = world();
  Object.assign(state, { answer: 'unavailable', isTaken: false });
  await assert.rejects(withoutPauses(submit(1)), { code: 'unavailable' });
  await assert.rejects(withoutPauses(submit(2)), { code: 'unavailable' });
  assert.equal(new Set(handedOver).size, 1);
  Object.assign(state, { answer: undefined, isTaken: true });
  await submit(3);
  assert.equal(recorded.length, 2);
  assert.equal(recorded[0], handedOver[0]);
});

test('one that can never be recorded makes room for the next, and a closed ledger is asked no more', async (context) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  const { submit, state, recorded, handedOver } = world();
  for (const [answer, times] of [
    ['transaction-refused', 1],
    ['closed', 1],
  ] as const) {
    Object.assign(state, { answer, isTaken: false });
    await assert.rejects(withoutPauses(submit(1)), { code: answer });
    assert.equal(handedOver.splice(0).length, times);
  }
  Object.assign(state, { answer: undefined, isTaken: true });
  await submit(2);
  assert.deepEqual(recorded, handedOver);
});
