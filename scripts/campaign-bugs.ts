/**
 * `npm run campaign:bugs -- [--slice] [--only NAME] [--json]`: plants one bug at a time in a copy of the source and
 * runs the tests that guard the promise. A bug that no test notices is a failure of the tests.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLine, wholeNumber } from './command-line.ts';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs/index.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const copied = [
  'src',
  'tests',
  'scripts',
  'bench',
  'vectors',
  'samples',
  'bin',
  'docs',
  'package.json',
  'README.md',
];
const TEST_LIMIT_MS = 300_000;
const USAGE = [
  'npm run campaign:bugs -- [--slice] [--only NAME] [--size N] [--seed S] [--json]',
  '--slice plants only those that are quick to catch, --size only so many, which --seed chooses. The bugs are:',
  ...PLANTED_BUGS.map((bug) => `  ${bug.name}: ${bug.promise}`),
].join('\n');
const { values } = commandLine(USAGE, {
  slice: { type: 'boolean', default: false },
  only: { type: 'string' },
  size: { type: 'string', default: String(PLANTED_BUGS.length) },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
});

type Outcome = { readonly bug: string; readonly caughtBy: string | null };

const [size, seed] = [wholeNumber('size', values.size, 1), wholeNumber('seed', values.seed)];
const named = PLANTED_BUGS.filter((bug) =>
  values.only === undefined ? !values.slice || bug.inSlice : bug.name === values.only,
);
const bugs = size < named.length ? chosen(named) : named;
if (bugs.length === 0) {
  console.error('No bug has that name; --help lists them.');
  process.exit(2);
}

const outcomes = bugs.map((bug, index) => {
  const outcome = plantAndTest(bug);
  console.error(`[${index + 1}/${bugs.length}] ${bug.name} → ${outcome.caughtBy ?? 'NOT CAUGHT'}`);
  return outcome;
});
const missed = outcomes.filter((outcome) => outcome.caughtBy === null);
if (values.json) console.log(JSON.stringify({ outcomes }));
else for (const one of outcomes) console.log(`${one.bug} → ${one.caughtBy ?? 'NOT CAUGHT'}`);
for (const one of missed) console.error(`Not caught. Repeat: npm run campaign:bugs -- --only ${one.bug}`);
process.exit(missed.length > 0 ? 1 : 0);

function plantAndTest(bug: PlantedBug): Outcome {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-bug-'));
  try {
    copySource(folder);
    assertTestsPass(bug, folder);
    plant(bug, folder);
    return { bug: bug.name, caughtBy: runTests(bug, folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function copySource(folder: string): void {
  for (const name of copied) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
}

/** A test that fails without the bug proves nothing about the bug. */
function assertTestsPass(bug: PlantedBug, folder: string): void {
  const failed = runTests(bug, folder);
  if (failed !== null)
    throw new Error(
      `${bug.name}: "${failed}" fails before the bug is planted. Run: npm test -- ${bug.tests.join(' ')}`,
    );
}

/** The planted text must stand in the source exactly once, so that a campaign never tests an unchanged copy. */
function plant(bug: PlantedBug, folder: string): void {
  const path = join(folder, bug.file);
  const source = readFileSync(path, 'utf8');
  const occurrences = source.split(bug.find).length - 1;
  if (occurrences !== 1)
    throw new Error(
      `${bug.name}: its place stands ${occurrences} times in ${bug.file}, not once. Mend scripts/planted-bugs.`,
    );
  writeFileSync(
    path,
    source.replace(bug.find, () => bug.replace),
  );
}

/** The name of the first failing test, or null when all pass. */
function runTests(bug: PlantedBug, folder: string): string | null {
  const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-reporter=tap', ...bug.tests];
  const run = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: TEST_LIMIT_MS,
    maxBuffer: 1 << 28,
  });
  if (run.status === 0) return null;
  const failures = [...run.stdout.matchAll(/^\s*not ok \d+ - (.+)$/gm)].map((match) =>
    (match[1] as string).trim(),
  );
  const named = failures.filter((name) => !name.endsWith('.test.ts') && !name.startsWith('/'));
  return named[0] ?? failures[0] ?? `the run ended with ${run.signal ?? `status ${run.status}`}`;
}

/** So many of them, which depends on the seed alone; in the order of the table. */
function chosen(all: readonly PlantedBug[]): PlantedBug[] {
  const lot = ({ name }: PlantedBug): string => createHash('sha256').update(`${seed} ${name}`).digest('hex');
  const drawn = new Set([...all].sort((left, right) => (lot(left) < lot(right) ? -1 : 1)).slice(0, size));
  return all.filter((bug) => drawn.has(bug));
}
