import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, { resolved?: string; integrity?: string }>;
};

test('every package in the lockfile carries an integrity hash and comes from the npm registry', () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  assert.ok(packages.length > 50);
  for (const [path, entry] of packages) {
    assert.match(entry.integrity ?? '', /^sha512-/, `${path} has no integrity hash`);
    if (entry.resolved !== undefined) assert.match(entry.resolved, /^https:\/\/registry\.npmjs\.org\//, path);
  }
});

test('setup installs without running any package script', () => {
  const setup = readFileSync(new URL('../scripts/setup.js', import.meta.url), 'utf8');
  assert.match(setup, /'ci', '--ignore-scripts'/);
});

test('a command in a clone that is being installed says so; with --wait it waits', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-clone-'));
  const command = join(folder, 'bin', 'careledger.js');
  const run = (...args: string[]) => spawn(process.execPath, [command, ...args], { stdio: 'pipe' });
  try {
    for (const name of ['bin', 'src/cli', 'node_modules/commander'])
      mkdirSync(join(folder, name), { recursive: true });
    copyFileSync(fileURLToPath(new URL('../bin/careledger.js', import.meta.url)), command);
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(folder, 'src/cli/main.ts'), 'console.log("it runs");');

    const hasty = run('status');
    assert.deepEqual(await once(hasty, 'exit'), [69, null]);

    const patient = run('status', '--wait');
    const ended = once(patient, 'exit');
    await once(patient.stderr, 'data');
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{}');
    assert.match(String((await once(patient.stdout, 'data'))[0]), /it runs/);
    assert.deepEqual(await ended, [0, null]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
