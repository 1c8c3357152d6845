import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../shared/index.ts';
import { createFreshness } from './freshness.ts';

const LIMIT_MS = 10_000;

function world(confirm: () => Promise<void>) {
  const clock = { nowMs: 1_000_000, headTimeMs: 0, offMs: 0, asked: 0 };
  const freshness = createFreshness({
    nowMs: () => clock.nowMs + clock.offMs,
    elapsedMs: () => clock.nowMs,
    headTimeMs: () => clock.headTimeMs,
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

test('a head that is too old is confirmed once for everybody who asks, and then for a while by nobody', async () => {
  const { clock, freshness } = world(() => Promise.resolve());
  await Promise.all(Array.from({ length: 20 }, () => freshness.ensure()));
  assert.equal(clock.asked, 1);
  clock.nowMs += LIMIT_MS;
  await freshness.ensure();
  assert.equal(clock.asked, 1);
  clock.nowMs += 1;
  await freshness.ensure();
  assert.equal(clock.asked, 2);
});

test('a block that came just now needs no confirmation', async () => {
  const { clock, freshness } = world(() => Promise.reject(new Error('cut off')));
  clock.headTimeMs = clock.nowMs - LIMIT_MS;
  freshness.committed();
  await freshness.ensure();
  assert.equal(clock.asked, 0);
});

test('a clock that is minutes behind does not make an old block look new', async () => {
  const { clock, freshness } = world(() => Promise.reject(new Error('cut off')));
  clock.offMs = -300_000;
  clock.headTimeMs = clock.nowMs;
  freshness.committed();
  clock.nowMs += LIMIT_MS + 1;
  await assert.rejects(() => freshness.ensure());
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
