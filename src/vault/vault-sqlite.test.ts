import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openVault } from './index.ts';
import { LIST_OF_SUBJECT } from './tables/entries.ts';
import { vaultSuite } from './testing/vault-suite.ts';
import { createVaultWorld } from './testing/vault-world.ts';

vaultSuite('SQLite');

test('a vault that is open cannot be opened a second time', async () => {
  const world = await createVaultWorld('lock');
  try {
    await assert.rejects(openVault(world.options), { code: 'folder-in-use' });
  } finally {
    await world.remove();
  }
});

test('a patient’s rows are found without going through those of everybody', async () => {
  const world = await createVaultWorld('plan');
  try {
    const database = new DatabaseSync(join(world.folder, 'vault.db'), { readOnly: true });
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${LIST_OF_SUBJECT}`).all(new Uint8Array(32), 'consent');
    database.close();
    assert.deepEqual(
      plan.map(({ detail }) => detail),
      ['SEARCH entries USING INDEX entries_by_subject (subject=? AND tab=?)'],
    );
  } finally {
    await world.remove();
  }
});

test('a wrong address and an impossible folder are told apart from damage', async () => {
  const world = await createVaultWorld('address');
  try {
    await assert.rejects(openVault({ ...world.options, url: 'mysql://x' }), { code: 'usage' });
    const under = join(world.folder, 'vault-keys', 'vault.db');
    await assert.rejects(openVault({ ...world.options, url: `sqlite:${under}` }), {
      code: 'folder-not-writable',
    });
  } finally {
    await world.remove();
  }
});
