import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCrashCampaign } from './crash-campaign.ts';
import { runPowerLossCampaign } from './power-loss-campaign.ts';

const progress = (): void => undefined;

test('nothing acknowledged is lost when a loaded node is killed, and it replays to the same appHash', async () => {
  const report = await runCrashCampaign({ runs: 3, seed: 7, progress });
  assert.deepEqual(report.failures, []);
  assert(report.acknowledged > 0, 'the node was under load when it was killed');
});

test('nothing acknowledged is lost when the power goes', async () => {
  const report = await runPowerLossCampaign({ runs: 20, seed: 7, progress });
  assert.deepEqual(report.failures, []);
  assert(report.acknowledged > 0);
});
