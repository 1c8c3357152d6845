import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openVault } from './index.ts';
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
