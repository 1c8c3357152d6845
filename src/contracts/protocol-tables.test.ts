import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RESULT_CODES } from '../ledger/index.ts';
import { ROLES } from './index.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

/** The rows `| number | name |` below a heading of the page. */
function tableBelow(heading: string): Record<string, number> {
  const section = page.slice(page.indexOf(`\n## ${heading}\n`)).split(/\n## /)[1] ?? '';
  const rows = section.matchAll(/^\| (\d+) \| ([a-z-]+) \|$/gm);
  return Object.fromEntries([...rows].map(([, number, name]) => [name, Number(number)]));
}

test('the tables of the protocol are those of the code', () => {
  assert.deepEqual(tableBelow('Result codes'), { ...RESULT_CODES });
  assert.deepEqual(tableBelow('Roles'), { ...ROLES });
});
