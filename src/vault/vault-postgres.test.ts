import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { openPassphraseKeys, openVault, type Vault } from './index.ts';
import { type PostgresProxy, startPostgresProxy } from './testing/postgres-proxy.ts';
import { hasPostgres, startPostgres, type TestPostgres } from './testing/start-postgres.ts';
import { findingsOf, vaultSuite } from './testing/vault-suite.ts';
import { createVaultWorld, sampleWrite, seededRandom, type VaultWorld } from './testing/vault-world.ts';

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

  describe('whose answers are lost', () => {
    let url: string;
    let proxy: PostgresProxy;
    let world: VaultWorld;
    before(async () => {
      url = await postgres.createDatabase();
      proxy = await startPostgresProxy(url);
      world = await createVaultWorld('postgres commit', proxy.url);
      for (const id of ['ana', 'ben', 'cleo', 'dora'])
        await world.vault.put(sampleWrite(id, { subject: id }));
    });
    after(async () => {
      await world?.remove();
      proxy?.close();
    });

    const versionOf = async (vault: Vault, id: string) => {
      const record = await vault.read('Observation', id);
      return record && [record.key.version, record.labels, (await record.open()).length > 0];
    };

    test('a write that is there has succeeded, though nobody was told so', async () => {
      const { vault } = world;
      await versionOf(vault, 'ben');
      proxy.loseNextCommit();
      await vault.put(sampleWrite('ben', { subject: 'ben', labels: ['hiv'] }, 2));
      assert.deepEqual(await versionOf(vault, 'ben'), [2, ['hiv'], true]);
    });

    test('a write of which nobody can tell is refused, and counts from when it can be told', async () => {
      const { vault } = world;
      proxy.cutAtNextCommit();
      const write = sampleWrite('ben', { subject: 'ben' }, 3);
      const together = [write, sampleWrite('eve', { subject: 'eve' })];
      for (const { reason } of (await Promise.allSettled(together.map(vault.put))) as PromiseRejectedResult[])
        assert.match(reason.message, /did not answer/);
      await assert.rejects(vault.history({ resourceType: 'Observation', id: 'ben' }), {
        code: 'unavailable',
      });
      proxy.restore();
      await assert.rejects(vault.put(write), { code: 'conflict' });
      assert.deepEqual(await versionOf(vault, 'ben'), [3, [], true]);
    });

    test('an erasure of which nobody can tell takes no other keys with it, then or later', async () => {
      const { vault } = world;
      proxy.cutAtNextCommit();
      await assert.rejects(vault.erase({ subject: 'ana' }), { code: 'unavailable' });
      proxy.restore();
      assert.equal(await versionOf(vault, 'ana'), undefined);
      assert.deepEqual(await versionOf(vault, 'ben'), [3, [], true]);
      await vault.put(sampleWrite('ben', { subject: 'ben' }, 4));
      await vault.erase({ subject: 'cleo' });
      assert.deepEqual(await versionOf(vault, 'ben'), [4, [], true]);
      await vault.close();
      const random = seededRandom('again');
      const path = join(world.folder, 'vault-keys');
      const keys = await openPassphraseKeys({ path, passphrase: 'correct horse', random });
      world.vault = await openVault({ ...world.options, keys });
      assert.deepEqual(await versionOf(world.vault, 'ben'), [4, [], true]);
      assert.deepEqual(await findingsOf(world.vault), []);
    });

    test('who reads between the commit of an erasure and its answer finds the keys', async () => {
      const { vault } = world;
      await vault.rotateRoot();
      const held = proxy.holdNextCommit();
      const renewed = vault.rotateRoot();
      const answer = await held;
      assert.deepEqual(await versionOf(vault, 'ben'), [4, [], true]);
      answer();
      await renewed;
      assert.deepEqual(await versionOf(vault, 'ben'), [4, [], true]);
    });

    test('a server that ends every connection ends no node', async () => {
      const beside = new pg.Client({ connectionString: url });
      await beside.connect();
      await beside.query('BEGIN; LOCK TABLE records IN EXCLUSIVE MODE');
      const put = world.vault.put(sampleWrite('ben', { subject: 'ben' }, 5));
      const refused = assert.rejects(put, { code: 'unavailable' });
      const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
      for (let at = 0; at < 1000 && (await beside.query(waiting)).rows.length === 0; at++);
      const others = 'pid <> pg_backend_pid() AND datname = current_database()';
      await beside.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`);
      await beside.query('COMMIT');
      await refused;
      await beside.end();
      const putAgain = () => world.vault.put(sampleWrite('ben', { subject: 'ben' }, 5));
      // The connection that takes the lock again may have been among those that were ended.
      await putAgain().catch((cause) => (cause.code === 'unavailable' ? putAgain() : Promise.reject(cause)));
      assert.deepEqual(await versionOf(world.vault, 'ben'), [5, [], true]);
    });
  });
});
