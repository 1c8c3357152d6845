/** Runs every test beside the source and under `tests/`; further arguments name the files or folders to run instead. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const asked = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const patterns =
  asked.length > 0
    ? asked.flatMap((word) => [word, `${word}/**/*.test.ts`])
    : ['{src,tests,bench,scripts}/**/*.test.ts'];
const files = patterns
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .filter((file) => file.endsWith('.test.ts'));

if (files.length === 0) {
  console.error(`No test files match ${patterns.join(' ')}.`);
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=600000',
    ...new Set(files),
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
process.exit(run.status ?? 1);
