#!/usr/bin/env node
// Starts the command line on a Node that runs TypeScript: this one if it is new enough, else the pinned one that
// npm installed beside us. Plain JavaScript, because the machine's own Node may be too old for the rest.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(root, 'src', 'cli', 'main.ts');
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (!existsSync(join(root, 'node_modules', 'commander'))) {
  console.error(
    'CareLedger is not installed yet: run `npm ci --ignore-scripts` in its folder (npm start does it too).',
  );
  process.exit(69);
}
if (major > 22 || (major === 22 && minor >= 18)) {
  await import(main);
} else {
  runOn(pinnedNode());
}

function pinnedNode() {
  const name = process.platform === 'win32' ? 'win' : process.platform;
  const packaged = join(
    root,
    'node_modules',
    `node-${name}-${process.arch}`,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (existsSync(packaged)) return packaged;
  console.error(
    `CareLedger needs Node 22.18 or newer and this is ${process.version}. Install Node 24 and run it again.`,
  );
  process.exit(69);
}

function runOn(node) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
  const run = spawnSync(node, ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exit(run.status ?? 1);
}
