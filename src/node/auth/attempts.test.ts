import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { AppError } from '../../shared/index.ts';
import { createAttempts } from './attempts.ts';

const WINDOW_MS = 60_000;

function world(limit: number) {
  let nowMs = 1_000;
  const attempts = createAttempts({ limit, windowMs: WINDOW_MS, nowMs: () => nowMs });
  const fail = (origin: string, code: 'token-refused' | 'busy' = 'token-refused') =>
    attempts
      .counted(origin, () => Promise.reject(new AppError(code, 'Why it was refused.')))
      .catch((error: AppError) => error);
  const pass = (origin: string) => attempts.counted(origin, () => attempts.inTurn(origin, async () => 'in'));
  return { attempts, fail, pass, later: (ms: number) => (nowMs += ms) };
}

test('what is valid passes after any number of refusals, which are told to wait and why', async () => {
  const { fail, pass, later } = world(2);
  const codes = [await fail('a'), await fail('a'), await fail('a'), await fail('b')].map(({ code }) => code);
  assert.deepEqual(codes, ['token-refused', 'token-refused', 'too-many-requests', 'token-refused']);
  assert.match((await fail('a')).message, /Too many .* Why it was refused\./);
  assert.equal(await pass('a'), 'in');
  later(WINDOW_MS);
  assert.equal((await fail('a')).code, 'token-refused');
});

test('what is no fault of who asked counts for nothing', async () => {
  const { fail } = world(1);
  for (let time = 0; time < 5; time += 1) assert.equal((await fail('a', 'busy')).code, 'busy');
  assert.equal((await fail('a')).code, 'token-refused');
});

test('the checks of an origin beyond its limit run one at a time, and hold up nobody else', async () => {
  const { attempts, fail } = world(1);
  await fail('flood');
  const ended: string[] = [];
  let running = 0;
  let most = 0;
  const { promise: held, resolve: free } = Promise.withResolvers<void>();
  const check = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await held;
    running -= 1;
    ended.push('flood');
  };
  const all = Array.from({ length: 100 }, () => attempts.inTurn('flood', check));
  all.push(attempts.inTurn('other', async () => void ended.push('other')));
  await setImmediate();
  free();
  await Promise.all(all);
  assert.deepEqual([ended[0], ended.length], ['other', 101]);
  assert.equal(most, 1);
});
