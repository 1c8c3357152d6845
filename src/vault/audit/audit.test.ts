import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { utf8 } from '../../shared/index.ts';
import { openVault, verifyBackup } from '../index.ts';
import { newKeyring } from '../keys/keyring.ts';
import { openSqliteStore } from '../storage/sqlite-store.ts';
import { findingsOf } from '../testing/vault-suite.ts';
import {
  createVaultWorld,
  filesBelow,
  NOW_MS,
  sampleWrite,
  seededRandom,
  type VaultWorld,
} from '../testing/vault-world.ts';
import { createVaultContext } from '../vault-context.ts';
import { verifySeal } from './file-seal.ts';
import { walkTable } from './walk-table.ts';

async function filledWorld(seed: string): Promise<VaultWorld> {
  const world = await createVaultWorld(seed);
  const { vault } = world;
  for (let at = 0; at < 12; at++) await vault.put(sampleWrite(`r${at}`, { labels: at % 2 ? ['hiv'] : [] }));
  const sealingPublicKey = new Uint8Array(32).fill(9);
  await vault.bindings.put({ patientId: 'patient-1', accountId: 'a', sealingPublicKey });
  await vault.put(sampleWrite('sealed', { category: 'sealed' }));
  await vault.put(sampleWrite('r0', {}, 2));
  await vault.enrolmentCodes.issue({ code: 'c', patientId: 'patient-1', expiresAtMs: NOW_MS + 10 });
  await vault.settings.set('s', utf8('value'));
  await vault.grants.grant({
    subject: 'patient-1',
    category: 'hiv',
    grantee: 'g',
    publicKey: new Uint8Array(32).fill(9),
  });
  for (let at = 0; at < 4; at++)
    await vault.accessLog.append({ subject: 'patient-1', bytes: utf8(`entry ${at}`) });
  return world;
}

test('a flipped byte anywhere in a closed file is found, and its 64 KiB named', async () => {
  const world = await filledWorld('seal');
  await world.vault.close();
  for (const path of [join(world.folder, 'vault.db'), join(world.options.folder, 'access.log')]) {
    const bytes = readFileSync(path);
    const step = Math.max(1, Math.floor(bytes.length / 400));
    for (let at = 0; at < bytes.length; at += step) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (bytes[at] as number) ^ 0x04;
      writeFileSync(path, flipped);
      const [finding, ...more] = await verifySeal(path, world.keys);
      const chunk = Math.floor(at / 65_536) * 65_536;
      assert.deepEqual(
        [finding?.where, more.length],
        [`${path} bytes ${chunk} to ${chunk + 65_535}`, 0],
        `byte ${at}`,
      );
    }
    await assert.rejects(
      openVault(world.options),
      (error: Error & { code?: string }) => error.code === 'damaged' && error.message.includes(path),
    );
    writeFileSync(path, bytes.subarray(0, -1));
    assert.ok((await verifySeal(path, world.keys)).length > 0);
    writeFileSync(path, bytes);
    assert.deepEqual(await verifySeal(path, world.keys), []);
  }
  await world.remove();
});

test('each flipped byte of a seal is found, and a missing file is missed', async () => {
  const world = await filledWorld('sealed seal');
  await world.vault.close();
  const path = join(world.folder, 'vault.db');
  const seal = readFileSync(`${path}.seal`);
  for (let at = 0; at < seal.length; at++) {
    const flipped = Buffer.from(seal);
    flipped[at] = (seal[at] as number) ^ 0x01;
    writeFileSync(`${path}.seal`, flipped);
    assert.deepEqual(
      (await verifySeal(path, world.keys)).map((one) => one.where),
      [`${path}.seal`],
      `byte ${at}`,
    );
  }
  writeFileSync(`${path}.seal`, seal);
  copyFileSync(path, `${path}.kept`);
  rmSync(path);
  assert.match((await verifySeal(path, world.keys))[0]?.what ?? '', /missing/);
  await world.remove();
});

test('an audit of a damaged vault changes nothing, and a damaged vault is not sealed as right', async () => {
  const world = await filledWorld('tolerant');
  await world.vault.close();
  const path = join(world.folder, 'vault.db');
  const bytes = readFileSync(path);
  const flipped = Buffer.from(bytes);
  flipped[bytes.length - 30] = (flipped.at(-30) as number) ^ 1;
  writeFileSync(path, flipped);
  const vault = await openVault({ ...world.options, tolerateDamage: true });
  assert.ok((await findingsOf(vault)).some((one) => one.kind === 'file' && one.where.startsWith(path)));
  await vault.close();
  await assert.rejects(openVault(world.options), { code: 'damaged' });
  await world.remove();
});

/** What somebody with the database open may do, and the words that the audit must have for it. */
const TAMPERING: readonly (readonly [name: string, sql: string, kind: string, words: RegExp])[] = [
  [
    'content',
    'UPDATE records SET content = zeroblob(length(content)) WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /content does not open/,
  ],
  [
    'data key',
    'UPDATE records SET wrapped = zeroblob(length(wrapped)) WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /data key does not open/,
  ],
  [
    'metadata',
    'UPDATE records SET meta = zeroblob(length(meta)) WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /metadata does not open/,
  ],
  [
    'time',
    'UPDATE records SET updated_ms = updated_ms + 1 WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /time or state/,
  ],
  [
    'state',
    'UPDATE records SET state = 2 WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /time or state/,
  ],
  [
    'type',
    "UPDATE records SET resource_type = 'Condition' WHERE rid = (SELECT MAX(rid) FROM records)",
    'record',
    /metadata does not open/,
  ],
  [
    'patient',
    'UPDATE records SET subject = randomblob(16) WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /another patient/,
  ],
  [
    'version',
    'UPDATE records SET version = 7 WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /metadata does not open/,
  ],
  [
    'swapped contents',
    'UPDATE records SET content = (SELECT content FROM records o WHERE o.rid <> records.rid LIMIT 1) WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /content does not open/,
  ],
  ['rolled back', 'DELETE FROM records WHERE version = 2', 'record', /not marked as current/],
  [
    'missing version',
    'DELETE FROM records WHERE version = 1 AND state = 0',
    'record',
    /1 of its 2 versions are missing/,
  ],
  [
    'anchored',
    'UPDATE records SET anchored = 9 WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /anchored mark/,
  ],
  [
    'token list',
    'UPDATE records SET tokens = randomblob(length(tokens)) WHERE rid = (SELECT MAX(rid) FROM records)',
    'record',
    /not what was sealed/,
  ],
  [
    'missing token',
    'DELETE FROM tokens WHERE rid = (SELECT MAX(rid) FROM tokens)',
    'record',
    /missing from the index/,
  ],
  ['added token', 'INSERT INTO tokens VALUES (randomblob(16), 1)', 'index', /No record/],
  ['key', 'UPDATE category_keys SET wrapped = zeroblob(length(wrapped)) WHERE key_id = 1', 'key', /damaged/],
  ['epoch', 'UPDATE category_keys SET epoch = 9 WHERE key_id = 1', 'key', /damaged/],
  ['value', "UPDATE entries SET value = zeroblob(length(value)) WHERE tab = 'setting'", 'table', /damaged/],
  [
    'expiry',
    'UPDATE entries SET expires_ms = expires_ms + 1 WHERE expires_ms IS NOT NULL',
    'table',
    /damaged/,
  ],
  ['grant', 'UPDATE grants SET info = zeroblob(length(info))', 'key', /damaged/],
  ['audit key', 'DELETE FROM category_keys WHERE category = 100', 'access-log', /no erasure destroyed it/],
  [
    'wrapping of an audit key',
    'UPDATE category_keys SET wrapped = NULL WHERE category = 100',
    'key',
    /wrapping is missing/,
  ],
  [
    'key of a record',
    'DELETE FROM category_keys WHERE key_id = (SELECT MIN(key_id) FROM records)',
    'record',
    /key that it is under is missing/,
  ],
  ['key of a sealed record', 'DELETE FROM grants WHERE category = 6', 'record', /copy of its key is missing/],
];

test('the audit names what was changed in the database while it was not sealed', async () => {
  const world = await filledWorld('tampering');
  await world.vault.close();
  const path = join(world.folder, 'vault.db');
  rmSync(`${path}.seal`);
  const original = readFileSync(path);
  for (const [name, sql, kind, words] of TAMPERING) {
    writeFileSync(path, original);
    const database = new DatabaseSync(path);
    assert.ok(database.prepare(sql).run().changes > 0, name);
    database.close();
    const vault = await openVault({ ...world.options, tolerateDamage: true });
    const findings = await findingsOf(vault);
    await vault.close();
    assert.ok(
      findings.some((one) => one.kind === kind && words.test(one.what)),
      `${name}: ${JSON.stringify(findings)}`,
    );
    rmSync(`${path}.seal`, { force: true });
  }
  await world.remove();
});

/** Of what type each column is read; one bit of a row says so. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  records: ['rkey', 'subject', 'meta', 'wrapped', 'content', 'tokens', 'resource_type'],
  category_keys: ['subject', 'wrapped'],
  grants: ['subject', 'grantee', 'info'],
  entries: ['tab', 'name', 'subject', 'value'],
  tokens: ['token'],
};

/** As a flipped bit does: the same bytes under another type, or none. The table itself would refuse it, and is told nothing. */
function retype(path: string, table: string, column: string, sqlType: string): void {
  const withSchema = (work: (database: DatabaseSync) => void): void => {
    const database = new DatabaseSync(path, { defensive: false });
    database.exec('PRAGMA writable_schema = ON');
    work(database);
    database.close();
  };
  let strict = '';
  withSchema((database) => {
    strict = String(database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(table)?.sql);
    const loose = strict.replace(/,? STRICT$/, '').replaceAll('NOT NULL', '');
    database.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?').run(loose, table);
  });
  const database = new DatabaseSync(path);
  const row = `(SELECT MAX(${column}) FROM ${table})`;
  const change = `UPDATE ${table} SET ${column} = CAST(${column} AS ${sqlType}) WHERE ${column} = ${row}`;
  assert.ok(database.prepare(change).run().changes > 0);
  database.close();
  withSchema((again) => again.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?').run(strict, table));
}

test('a value that has another type than its column is named, whichever it is', async () => {
  const world = await filledWorld('types');
  await world.vault.close();
  const path = join(world.folder, 'vault.db');
  const original = readFileSync(path);
  for (const [table, columns] of Object.entries(COLUMNS)) {
    writeFileSync(path, original);
    rmSync(`${path}.seal`, { force: true });
    for (const column of columns) {
      const isText = column === 'tab' || column === 'resource_type';
      retype(path, table, column, isText ? 'BLOB' : 'TEXT');
    }
    const vault = await openVault({ ...world.options, tolerateDamage: true });
    const findings = await findingsOf(vault);
    await vault.close();
    for (const column of columns)
      assert.ok(
        findings.some(({ kind, what }) => kind === 'database' && what.includes(`${table}.${column}`)),
        `${table}.${column}: ${JSON.stringify(findings)}`,
      );
    assert.ok(
      findings.some(({ kind }) => kind !== 'database'),
      table,
    );
  }
  writeFileSync(path, original);
  rmSync(`${path}.seal`, { force: true });
  retype(path, 'keyring', 'wrapped', 'TEXT');
  await assert.rejects(openVault(world.options), { code: 'damaged' });
  await world.remove();
});

test('a vault whose keyring is gone is damaged, and gets no other that would open nothing', async () => {
  const world = await filledWorld('keyring gone');
  await world.vault.close();
  const path = join(world.folder, 'vault.db');
  rmSync(`${path}.seal`);
  const database = new DatabaseSync(path);
  database.exec('DELETE FROM keyring');
  for (const tolerateDamage of [false, true])
    await assert.rejects(openVault({ ...world.options, tolerateDamage }), { code: 'damaged' });
  assert.deepEqual(database.prepare('SELECT slot FROM keyring').all(), []);
  database.close();
  await world.remove();
});

test('an audit lets others work between its steps', async (t) => {
  const world = await filledWorld('pauses');
  let nowMs = 0;
  t.mock.method(performance, 'now', () => (nowMs += 20));
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (nowMs < Number.POSITIVE_INFINITY) setImmediate(count);
  };
  setImmediate(count);
  let turnsAtRecord = 0;
  const turnsOf: number[] = [];
  const onRecord = (): void => {
    turnsOf.push(turns - turnsAtRecord);
    turnsAtRecord = turns;
  };
  for await (const finding of world.vault.audit(undefined, onRecord)) assert.fail(finding.what);
  nowMs = Number.POSITIVE_INFINITY;
  assert.equal(turnsOf.length, 14);
  assert.ok(
    turnsOf.slice(1).every((between) => between > 0),
    String(turnsOf),
  );
  await world.remove();
});

test('an audit beside erasures and a new root finds a whole vault whole', async () => {
  const world = await filledWorld('beside');
  const { vault } = world;
  await vault.put(sampleWrite('other', { subject: 'patient-2' }));
  await vault.accessLog.append({ subject: 'patient-2', bytes: utf8('seen') });
  for (const change of [() => vault.rotateRoot(), () => vault.erase({ subject: 'patient-2' })]) {
    let changed: Promise<unknown> | undefined;
    const begin = (): void => {
      changed ??= change();
    };
    for await (const finding of vault.audit(undefined, begin)) assert.fail(JSON.stringify(finding));
    await changed;
  }
  await world.remove();
});

test('no erasure comes while a page is looked at, and one comes before the next', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-walk-'));
  const store = await openSqliteStore(join(folder, 'walk.db'));
  const random = seededRandom('walk');
  const context = await createVaultContext(store, newKeyring(random), { random, now: () => NOW_MS });
  const rows = [1, 2, 3].map((name) => ['t', Uint8Array.of(name), Uint8Array.of(0)]);
  await store.write((session) => session.insert('entries', ['tab', 'name', 'value'], rows));
  const steps: string[] = [];
  const walked = { table: 'entries', key: ['tab', 'name'], rowsAtOnce: 2 };
  const walk = walkTable(context, walked, async () => {
    void context.erasures(async () => void steps.push('erasure'));
    for (let turn = 0; turn < 20; turn++) await new Promise((resume) => setImmediate(resume));
    steps.push('row');
  });
  for await (const finding of walk) assert.fail(finding.what);
  assert.deepEqual(steps, ['row', 'row', 'erasure', 'erasure', 'row', 'erasure']);
  await store.close();
  rmSync(folder, { recursive: true });
});

test('each flipped byte of a backup is found and named', async () => {
  const world = await filledWorld('backup flips');
  const folder = join(world.folder, 'backup');
  await world.vault.backup(folder);
  for (const { path, bytes } of filesBelow(folder)) {
    const step = Math.max(1, Math.floor(statSync(path).size / 300));
    for (let at = 0; at < bytes.length; at += step) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (bytes[at] as number) ^ 0x20;
      writeFileSync(path, flipped);
      const found: string[] = [];
      for await (const finding of verifyBackup(folder)) found.push(finding.where);
      assert.ok(found.length === 1 && found[0]?.startsWith(path), `byte ${at} of ${path}`);
    }
    writeFileSync(path, bytes.subarray(0, -1));
    const found: string[] = [];
    for await (const finding of verifyBackup(folder)) found.push(finding.where);
    assert.ok(found.length > 0);
    writeFileSync(path, bytes);
  }
  writeFileSync(join(folder, 'stray'), 'x');
  const stray: string[] = [];
  for await (const finding of verifyBackup(folder)) stray.push(finding.what);
  assert.deepEqual(stray, ['This file is not part of the backup.']);
  await world.remove();
});
