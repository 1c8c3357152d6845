import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openVault } from './index.ts';
import { hasPostgres, startPostgres, type TestPostgres } from './testing/start-postgres.ts';
import { vaultSuite } from './testing/vault-suite.ts';
import { createVaultWorld } from './testing/vault-world.ts';

describe('on a real PostgreSQL', {
  skip: hasPostgres() ? false : 'no PostgreSQL binaries for this platform',
}, () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  vaultSuite('PostgreSQL', () => postgres.createDatabase());

  test('a database that a node holds cannot be opened by a second', async () => {
    const world = await createVaultWorld('postgres lock', await postgres.createDatabase());
    await assert.rejects(openVault({ ...world.options, folder: `${world.folder}/other` }), {
      code: 'folder-in-use',
    });
    await world.remove();
  });

  test('a server that is not there is named as such, without the address’s password', async () => {
    const world = await createVaultWorld('postgres absent');
    const url = 'postgres://user:canary-password@127.0.0.1:1/none';
    await assert.rejects(
      openVault({ ...world.options, url, folder: `${world.folder}/other` }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'unavailable');
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /canary/);
        return true;
      },
    );
    await world.remove();
  });
});
