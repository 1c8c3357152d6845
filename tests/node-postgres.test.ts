/** A node whose vault is in a real PostgreSQL: create, grant, read, restart, read; and nothing readable in the database. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readKeyFile } from '../src/node/index.ts';
import { hasPostgres, startPostgres, type TestPostgres } from '../src/vault/testing/start-postgres.ts';
import { PASSPHRASE, sessionToken } from './node-fixture.ts';
import { runHere, startCli } from './support/run-cli.ts';

const CANARY = 'Quetzalcoatlus-northropi';
const folder = mkdtempSync(join(tmpdir(), 'careledger-node-postgres-'));
const at = (name: string): string => join(folder, name);

describe('a node on PostgreSQL', { skip: hasPostgres() ? false : 'no PostgreSQL binaries here' }, () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('creates, lets a patient grant, and reads the same after a restart', async () => {
    const vault = await postgres.createDatabase();
    const env = { CARELEDGER_DATA: at('data'), CARELEDGER_HOME: folder, CARELEDGER_PASSPHRASE: PASSPHRASE };
    const start = () => startCli(['start', '--vault', vault, '--port', '0', '--log', 'error'], env);
    let node = await start();
    const json = async (words: string[], status = 0): Promise<Record<string, unknown>> => {
      const here = { ...env, CARELEDGER_NODE: String(node.facts.url) };
      const run = await runHere([...words, '--json'], here);
      assert.equal(run.status, status, run.stderr);
      return (status === 0 ? JSON.parse(run.stdout) : {}) as Record<string, unknown>;
    };
    const key = (name: string): string => at(`data/demo/${name}.key.json`);
    const read = ['read', 'Observation/pg-1', '--as', key('researcher'), '--purpose', 'HRESCH'];
    try {
      const token = await sessionToken(String(node.facts.url), readKeyFile(key('clinician')));
      const created = await fetch(`${node.facts.url}/fhir/R4/Observation/pg-1`, {
        method: 'PUT',
        headers: { 'content-type': 'application/fhir+json', authorization: `Bearer ${token}` },
        body: JSON.stringify(observation()),
      });
      assert.equal(created.status, 201, await created.text());
      await json(['wallet', 'create', '--wallet', at('ana.json')]);
      await json(['keys', 'enrol-code', 'Patient/ana', '--out', at('code')]);
      await json(['wallet', 'enrol', '--wallet', at('ana.json'), '--code-file', at('code')]);
      await json(read, 4);
      const grant = ['consent', 'grant', '--wallet', at('ana.json'), '--to', key('researcher')];
      await json([...grant, '--purpose', 'HRESCH']);
      assert.equal((await json(read)).id, 'pg-1');
      await node.stop();
      node = await start();
      assert.deepEqual((await json(read)).note, observation().note);
      assert.equal((await json(['log', '--wallet', at('ana.json'), '--limit', '1'])).total !== 0, true);
      assert.equal((await json(['audit'])).ok, true);
      await json(['consent', 'revoke', '--all', '--wallet', at('ana.json')]);
      await json(read, 4);
      await json(['backup', at('backup')]);
    } finally {
      await node.stop();
    }
    // With another vault than its own, or with none, the folder is not opened.
    const without = runHere(['start', '--port', '0'], env);
    assert.match((await without).stderr, /vault of this data folder is in PostgreSQL/);
    await changesKeysOfStoppedNode(vault, env);
    for (const file of filesUnder(postgres.dataFolder)) assert.ok(!readFileSync(file).includes(CANARY), file);
  });

  /** Commands for a stopped node take the address of its vault from the environment, as `start` does. */
  async function changesKeysOfStoppedNode(vault: string, env: Record<string, string>): Promise<void> {
    const other = { ...env, CARELEDGER_VAULT: await postgres.createDatabase() };
    const restored = ['restore', at('backup'), '--data', at('restored'), '--keys', at('data/keys')];
    assert.equal((await runHere(restored, other)).status, 0);
    assert.ok(!existsSync(at('restored/vault/vault.db')));
    for (const words of [['keys', 'rotate-root', '--yes'], ['audit']]) {
      const unnamed = await runHere(words, env);
      assert.equal(unnamed.status, 2, unnamed.stderr);
      assert.match(unnamed.stderr, /vault of this data folder is in PostgreSQL/);
    }
    const named = { ...env, CARELEDGER_VAULT: vault };
    const rotated = await runHere(['keys', 'rotate-root', '--yes'], named);
    assert.equal(rotated.status, 0, rotated.stderr);
    const audited = await runHere(['audit'], named);
    assert.equal(audited.status, 0, audited.stdout);
  }
});

function observation() {
  return {
    resourceType: 'Observation',
    id: 'pg-1',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '4548-4' }] },
    subject: { reference: 'Patient/ana' },
    valueString: 'seen',
    note: [{ text: CANARY }],
  };
}

function filesUnder(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
