/** `npm run bench -- [NAME] [--seconds N] [--rounds N] [--seed S] [--size N] [--full] [--json]`: each peer and us in one run, in turn. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { commandLine, wholeNumber } from '../scripts/command-line.ts';
import type { BenchCase, BenchOptions } from './bench-case.ts';
import { BENCHES } from './benches.ts';

const names = Object.keys(BENCHES);
const USAGE = `npm run bench -- [NAME]… [--seconds N] [--rounds N] [--seed S] [--size N] [--full] [--json]\nNames: ${names.join(', ')}`;
const { values, positionals } = commandLine(USAGE, {
  seconds: { type: 'string', default: '4' },
  rounds: { type: 'string', default: '3' },
  seed: { type: 'string', default: '1' },
  size: { type: 'string' },
  full: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
});
const chosen = positionals.length > 0 ? positionals : names;
const unknown = chosen.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`No benchmark is named ${unknown.join(', ')}. There are: ${names.join(', ')}.`);
  process.exit(2);
}

const options: BenchOptions = {
  seconds: wholeNumber('seconds', values.seconds, 1),
  rounds: wholeNumber('rounds', values.rounds, 1),
  seed: wholeNumber('seed', values.seed),
  full: values.full,
  ...(values.size !== undefined && { size: wholeNumber('size', values.size, 1) }),
  progress: (line) => console.error(line),
};
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  platform: `${process.platform}-${process.arch}`,
};

const cases: BenchCase[] = [];
for (const name of chosen) {
  options.progress(`== ${name}`);
  cases.push(...(await (BENCHES[name] as (o: BenchOptions) => Promise<BenchCase[]>)(options)));
}
if (values.json) console.log(JSON.stringify({ machine, cases }));
else printTable(cases);
const missed = cases.filter((one) => !one.met);
for (const one of missed) {
  console.error(
    `Below its goal: ${one.name}. Repeat: npm run bench -- ${chosen.join(' ')} --seed ${values.seed}`,
  );
}
process.exit(missed.length > 0 ? 1 : 0);

function printTable(rows: readonly BenchCase[]): void {
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}, ${machine.platform}\n`,
  );
  console.log('| case | unit | ours | peer | ratio | goal | met |');
  console.log('| --- | --- | ---: | ---: | ---: | ---: | --- |');
  for (const row of rows) {
    const numbers = [row.ours, row.peer].map((n) => (n >= 100 ? n.toFixed(0) : n.toPrecision(3)));
    console.log(
      `| ${row.name} | ${row.unit} | ${numbers.join(' | ')} | ${row.ratio.toFixed(2)} | ${row.goal} | ${row.met ? 'yes' : 'no'} |`,
    );
  }
}
