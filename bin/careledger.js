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

// npm writes this file last. Whoever waits for a node that is starting waits for its installation too.
const installed = join(root, 'node_modules', '.package-lock.json');
const INSTALL_LIMIT_MS = 600_000;
const LOOK_EVERY_MS = 250;

if (!existsSync(installed) && process.argv.includes('--wait')) await waitForInstallation();
if (!existsSync(installed)) {
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

async function waitForInstallation() {
  console.error('Waiting until the packages that CareLedger needs are installed…');
  const lookUntilMs = Date.now() + INSTALL_LIMIT_MS;
  while (!existsSync(installed) && Date.now() < lookUntilMs)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
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
