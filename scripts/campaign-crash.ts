/**
 * `npm run campaign:crash -- [--runs N] [--seed S] [--json]`: kills a loaded node at random moments, and cuts the power of
 * a simulated disk as often; nothing acknowledged may be lost, and the log has to replay to the same appHash.
 */
import { parseArgs } from 'node:util';
import { otherNodes, runCrashCampaign } from './crash-campaign.ts';
import { runPowerLossCampaign } from './power-loss-campaign.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log('npm run campaign:crash -- [--runs N] [--seed S] [--json]');
  process.exit(0);
}
const [runs, seed] = [Number(values.runs), Number(values.seed)];
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed)) {
  console.error('--runs takes a whole number from 1, --seed a whole number.');
  process.exit(2);
}
if (otherNodes().length === 0)
  console.error('No "node22" is on the PATH: appHash is compared on this Node only.');

const options = { runs, seed, progress: (line: string) => console.error(line) };
const kills = await runCrashCampaign(options);
const powerCuts = await runPowerLossCampaign(options);
const failures = [...kills.failures, ...powerCuts.failures];
if (values.json) console.log(JSON.stringify({ runs, seed, kills, powerCuts }));
else {
  console.log(
    `${kills.kills} kills: ${kills.acknowledged} acknowledged; replayed on ${kills.replayedOn.join(', ')}.`,
  );
  console.log(`${powerCuts.cuts} power cuts: ${powerCuts.acknowledged} acknowledged.`);
  console.log(failures.length === 0 ? 'Nothing acknowledged was lost.' : `${failures.length} problems.`);
}
for (const failure of failures) console.error(failure);
if (failures.length > 0) console.error(`Repeat: npm run campaign:crash -- --runs ${runs} --seed ${seed}`);
process.exit(failures.length > 0 ? 1 : 0);
