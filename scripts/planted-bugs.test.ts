import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PLANTED_BUGS } from './planted-bugs/index.ts';

const root = new URL('../', import.meta.url);

test('every planted bug has its place in the source, once, and tests that are there', () => {
  for (const { name, file, find, tests } of PLANTED_BUGS) {
    const source = readFileSync(fileURLToPath(new URL(file, root)), 'utf8');
    assert.equal(source.split(find).length - 1, 1, `${name}: its place in ${file}`);
    for (const path of tests) assert.ok(existsSync(fileURLToPath(new URL(path, root))), `${name}: ${path}`);
  }
});
