import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../shared/index.ts';
import { createFreshness } from './freshness.ts';

const LIMIT_MS = 10_000;

function world(confirm: () => Promise<void>) {
  const clock = { elapsedMs: 1_000_000, asked: 0 };
  const freshness = createFreshness({
    elapsedMs: () => clock.elapsedMs,
    maxAgeMs: LIMIT_MS,
    waitMs: 50,
    confirm: () => {
      clock.asked += 1;
      return confirm();
    },
    lag: async () => '12 blocks behind',
  });
  return { clock, freshness };
}

test('it is confirmed once for everybody who asks, and then for a while by nobody', async () => {
  const { clock, freshness } = world(() => Promise.resolve());
  await Promise.all(Array.from({ length: 20 }, () => freshness.ensure()));
  assert.equal(clock.asked, 1);
  clock.elapsedMs += LIMIT_MS / 2;
  await freshness.ensure();
  assert.equal(clock.asked, 1);
});

test('while reads go on it is confirmed anew before its time is over, and nobody waits for that', async () => {
  const answer = Promise.withResolvers<void>();
  const { clock, freshness } = world(() => (clock.asked === 1 ? Promise.resolve() : answer.promise));
  await freshness.ensure();
  clock.elapsedMs += LIMIT_MS;
  await freshness.ensure();
  assert.equal(clock.asked, 2);
  clock.elapsedMs += 1;
  await assert.rejects(() => freshness.ensure(), { code: 'behind' });
  answer.resolve();
  await freshness.ensure();
});

test('a confirmation counts from when it was asked for, not from when it came', async () => {
  const { clock, freshness } = world(async () => {
    clock.elapsedMs += LIMIT_MS + 1;
  });
  await assert.rejects(() => freshness.ensure(), { code: 'behind' });
});

test('a node that is cut off answers nothing, and says how far behind it is', async () => {
  for (const confirm of [
    () => Promise.reject(new Error('refused')),
    () => new Promise<void>(() => undefined),
  ]) {
    const { freshness } = world(confirm);
    await assert.rejects(
      () => freshness.ensure(),
      (error) =>
        error instanceof AppError && error.code === 'behind' && /12 blocks behind/.test(error.message),
    );
  }
});
