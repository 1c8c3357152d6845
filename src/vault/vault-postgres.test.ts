import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { openVault } from './index.ts';
import { hasPostgres, startPostgres, type TestPostgres } from './testing/start-postgres.ts';
import { vaultSuite } from './testing/vault-suite.ts';
import { createVaultWorld, sampleWrite } from './testing/vault-world.ts';

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

  const HELD = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted";

  /** A connection beside the vault's; the node's lock is broken when it is there. */
  async function breakLock(url: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(`SELECT pg_terminate_backend(pid) FROM (${HELD}) AS lock`);
    assert.equal(rows.length, 1);
    while ((await client.query(HELD)).rows.length > 0);
    return client;
  }

  test('a node whose lock broke refuses everything once another has opened the database', async () => {
    const url = await postgres.createDatabase();
    const world = await createVaultWorld('postgres taken over', url);
    await world.vault.put(sampleWrite('before'));
    const beside = await breakLock(url);
    const other = await openVault({ ...world.options, folder: `${world.folder}/other` });
    await assert.rejects(world.vault.put(sampleWrite('after')), { code: 'unavailable' });
    await assert.rejects(world.vault.read('Observation', 'before'), { code: 'unavailable' });
    await assert.rejects(world.vault.erase({ subject: 'patient-1' }), { code: 'unavailable' });
    await other.put(sampleWrite('after'));
    await other.close();
    await assert.rejects(world.vault.put(sampleWrite('later')), { code: 'unavailable' }, 'for good');
    await beside.end();
    await world.remove();
  });

  test('a node that has not heard that its lock broke writes nothing over another', async () => {
    const url = await postgres.createDatabase();
    const world = await createVaultWorld('postgres not heard', url);
    const beside = new pg.Client({ connectionString: url });
    await beside.connect();
    await beside.query("UPDATE holder SET token = 'of another'");
    await assert.rejects(world.vault.put(sampleWrite('after')), { code: 'unavailable' });
    const { rows } = await beside.query('SELECT rid FROM records');
    assert.deepEqual(rows, []);
    await assert.rejects(world.vault.read('Observation', 'after'), { code: 'unavailable' });
    await beside.end();
    await world.remove();
  });

  test('a node whose lock broke takes it again before it goes on', async () => {
    const url = await postgres.createDatabase();
    const world = await createVaultWorld('postgres lock again', url);
    const beside = await breakLock(url);
    // It may take some writes until this process has heard of it.
    for (let at = 0; at < 1000 && (await beside.query(HELD)).rows.length === 0; at++)
      await world.vault.put(sampleWrite(`again-${at}`));
    await assert.rejects(openVault({ ...world.options, folder: `${world.folder}/other` }), {
      code: 'folder-in-use',
    });
    assert.ok(await (await world.vault.read('Observation', 'again-0'))?.open());
    await beside.end();
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
