/**
 * `npm run campaign:crash -- [--runs N] [--seed S] [--replay-with NODE]… [--json]`: kills a loaded node at random moments, and
 * cuts the power of a simulated disk as often; nothing acknowledged may be lost, and the log has to replay to the same
 * appHash, here and on every other Node that is named.
 */
import { commandLine, wholeNumber } from './command-line.ts';
import { otherNodes, runCrashCampaign } from './crash-campaign.ts';
import { runPowerLossCampaign } from './power-loss-campaign.ts';

const { values } = commandLine(
  'npm run campaign:crash -- [--runs N] [--seed S] [--replay-with NODE]… [--json]',
  {
    runs: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    'replay-with': { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
);
const [runs, seed] = [wholeNumber('runs', values.runs, 1), wholeNumber('seed', values.seed)];
const replayWith = otherNodes(values['replay-with']);
if (replayWith === undefined) {
  console.error('--replay-with takes the path of a Node that runs here.');
  process.exit(2);
}
if (replayWith.length === 0)
  console.error('No other Node was named (--replay-with): appHash is compared on this one only.');

const options = { runs, seed, replayWith, progress: (line: string) => console.error(line) };
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
