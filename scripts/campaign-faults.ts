/**
 * `npm run campaign:faults -- [--schedules N] [--seed S] [--json] [--keep]`: four validators with real CometBFT processes,
 * loaded, while one of them is killed, paused, cut off, wiped, made to diverge or robbed of its key state, and now and then one
 * more than consensus bears. Nothing acknowledged may be lost or applied twice, nothing forks, and the chain goes on.
 */
import { findCometBft } from '../src/engine/index.ts';
import { commandLine, wholeNumber } from './command-line.ts';
import { cleanUpAtExit } from './faults/processes.ts';
import { runSchedule, type ScheduleReport } from './faults/run-schedule.ts';

const USAGE =
  'npm run campaign:faults -- [--schedules N] [--seed S] [--json] [--keep]\n' +
  '--keep leaves the folders of the schedules, with the logs, for whoever looks for a cause.';
const { values } = commandLine(USAGE, {
  schedules: { type: 'string', default: '50' },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
});
const schedules = wholeNumber('schedules', values.schedules, 1);
const firstSeed = wholeNumber('seed', values.seed);

cleanUpAtExit(values.keep);
const progress = (line: string): void => console.error(line);
const binary = await findCometBft({ log: progress }).catch((cause: unknown) => {
  console.error(cause instanceof Error ? cause.message : cause);
  process.exit(1);
});
const reports: ScheduleReport[] = [];
for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
  progress(`schedule ${seed - firstSeed + 1}/${schedules}, seed ${seed}`);
  const report = await runSchedule({ binary, seed, keepFolders: values.keep, progress });
  reports.push(report);
  progress(
    `  ${report.acknowledged} acknowledged in ${report.blocks} blocks, ${report.problems.length} problems`,
  );
  for (const problem of report.problems)
    console.error(
      `seed ${seed}: ${problem}\n  Repeat: npm run campaign:faults -- --schedules 1 --seed ${seed}`,
    );
}

const steps = reports.flatMap((report) => report.steps);
const failed = reports.filter(({ problems }) => problems.length > 0);
const acknowledged = reports.reduce((sum, report) => sum + report.acknowledged, 0);
const slowestMs = Math.round(Math.max(0, ...steps.map(({ movedAfterMs }) => movedAfterMs)));
const overloaded = steps.filter(({ wasOverloaded }) => wasOverloaded).length;
const summary = { schedules, seed: firstSeed, steps: steps.length, acknowledged, slowestMs, overloaded };
if (values.json) console.log(JSON.stringify({ ...summary, failed: failed.map(({ seed }) => seed), reports }));
else {
  console.log(
    `${schedules} schedules, ${steps.length} faults, ${acknowledged} acknowledged; slowest to move after mending: ${slowestMs} ms.`,
  );
  if (overloaded > 0)
    console.log(
      `The machine was overloaded with other work at ${overloaded} of them: 30 s to move were allowed there, not 10.`,
    );
  console.log(
    failed.length === 0 ? 'All nodes agree; nothing was lost.' : `${failed.length} schedules failed.`,
  );
}
process.exit(failed.length > 0 ? 1 : 0);
