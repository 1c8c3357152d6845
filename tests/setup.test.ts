import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

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
