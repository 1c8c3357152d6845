import assert from 'node:assert/strict';
import { createPublicKey, verify as verifyNode } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { compareBytes, utf8 } from '../../shared/index.ts';
import {
  type ErasureRecord,
  erasureRecordBytes,
  erasureRootOf,
  openPassphraseKeys,
  openVault,
  restoreVault,
} from '../index.ts';
import { openPostgresStore } from '../storage/postgres-store.ts';
import { hasPostgres, startPostgres } from '../testing/start-postgres.ts';
import { findingsOf } from '../testing/vault-suite.ts';
import {
  createVaultWorld,
  filesBelow,
  NOW_MS,
  sampleWrite,
  seededRandom,
  type VaultWorld,
} from '../testing/vault-world.ts';

/** A value of its own: the token of a value that others share stays with them. */
const CANARY_TOKENS = [{ param: 'name', kind: 'string-prefix', value: 'canary-7d1f' }];
const CANARY = 'canary-7d1f-Maria-Gonzalez';

async function plant(world: VaultWorld): Promise<void> {
  const { vault } = world;
  await vault.put(
    sampleWrite('planted', {
      subject: 'erase-patient',
      labels: ['hiv'],
      plaintext: utf8(JSON.stringify({ note: CANARY.repeat(40) })),
      tokens: CANARY_TOKENS,
    }),
  );
  await vault.put(
    sampleWrite(
      'planted',
      { subject: 'erase-patient', plaintext: utf8(`${CANARY} second`), tokens: CANARY_TOKENS },
      2,
    ),
  );
  await vault.enrolmentCodes.issue({ code: CANARY, patientId: 'erase-patient', expiresAtMs: NOW_MS + 1000 });
  const terms = { consentId: 'c', version: 1, salt: new Uint8Array(32), consent: utf8(CANARY) };
  await vault.consents.put({ ...terms, patientId: 'erase-patient' }, () => false);
  await vault.accessLog.append({ subject: 'erase-patient', bytes: utf8(CANARY) });
  for (let at = 0; at < 30; at++) await vault.put(sampleWrite(`other-${at}`, { subject: 'other-patient' }));
}

/** The ciphertext, wrapped keys and tokens of the patient's rows, as they stand in the database before the erasure. */
function storedPieces(world: VaultWorld): { name: string; bytes: Buffer }[] {
  const database = new DatabaseSync(join(world.folder, 'vault.db'), { readOnly: true });
  const rows = database.prepare('SELECT * FROM records WHERE length(content) > 1000 OR version = 2').all();
  const owners = rows.map((row) => row.subject as Uint8Array);
  const keys = database
    .prepare('SELECT wrapped FROM category_keys WHERE subject = ?')
    .all(owners[0] as Uint8Array);
  const entries = database
    .prepare('SELECT value FROM entries WHERE subject = ?')
    .all(owners[0] as Uint8Array);
  database.close();
  const pieces = rows.flatMap((row) =>
    ['meta', 'wrapped', 'content', 'tokens'].map((name) => ({
      name,
      bytes: Buffer.from(row[name] as Uint8Array),
    })),
  );
  for (const row of keys)
    pieces.push({ name: 'category key', bytes: Buffer.from(row.wrapped as Uint8Array) });
  for (const row of entries) pieces.push({ name: 'entry', bytes: Buffer.from(row.value as Uint8Array) });
  return pieces.filter((piece) => piece.bytes.length > 0);
}

function assertNowhere(world: VaultWorld, needles: readonly { name: string; bytes: Buffer }[]): void {
  for (const file of filesBelow(world.folder)) {
    for (const { name, bytes } of needles)
      assert.equal(file.bytes.indexOf(bytes), -1, `${name} in ${file.path}`);
  }
}

function assertSigned(record: ErasureRecord): void {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), record.publicKey]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  assert.ok(verifyNode(null, erasureRecordBytes(record), key, record.signature));
  assert.deepEqual(erasureRootOf(record.commitments), record.erasureRoot);
}

test('no plain value ever reaches a file, and no ciphertext, key or token of an erased patient stays in one', async () => {
  const world = await createVaultWorld('erasure');
  await plant(world);
  const canary = [{ name: 'the canary', bytes: Buffer.from(CANARY) }];
  assertNowhere(world, canary);
  const pieces = storedPieces(world);
  assert.ok(pieces.length >= 8);
  assert.ok(
    filesBelow(world.folder).some((file) => pieces.some((piece) => file.bytes.includes(piece.bytes))),
    'the search itself works',
  );
  const binding = { patientId: 'erase-patient', accountId: 'ab'.repeat(32) };
  await world.vault.bindings.put({ ...binding, sealingPublicKey: new Uint8Array(32) });
  const record = await world.vault.erase({ subject: 'erase-patient' });
  assert.equal(record.commitments.length, 2);
  assertSigned(record);
  const { scope, erasedAtMs, commitments, erasureRoot } = record;
  assert.deepEqual(
    (await world.vault.erased()).map((one) => ({
      ...one,
      commitments: one.commitments.toSorted(compareBytes),
    })),
    [{ scope, erasedAtMs, commitments, erasureRoot, pseudonym: binding.accountId }],
    'what the ledger is to be told is there for as long as that takes',
  );
  assertNowhere(world, [...pieces, ...canary]);
  await world.vault.close();
  assertNowhere(world, [...pieces, ...canary]);
  await world.remove();
});

test('the same for one record, whose versions alone are gone', async () => {
  const world = await createVaultWorld('erasure of a record');
  await plant(world);
  const pieces = storedPieces(world).filter((piece) => piece.name !== 'entry');
  const record = await world.vault.erase({ resourceType: 'Observation', id: 'planted' });
  assert.equal(record.scope, 'record');
  assertSigned(record);
  assertNowhere(world, pieces);
  assert.equal((await world.vault.consents.get('c', 1))?.version, 1);
  await world.remove();
});

test('a copy of every file made before the erasure cannot be opened with the keys after it', async () => {
  const world = await createVaultWorld('old copy');
  await plant(world);
  await world.vault.backup(join(world.folder, 'backup'));
  await world.vault.close();
  const copy = join(world.folder, 'copy');
  cpSync(join(world.folder, 'vault.db'), join(copy, 'vault.db'));
  cpSync(world.options.folder, join(copy, 'files'), { recursive: true });
  const readable = { ...world.options, url: `sqlite:${join(copy, 'vault.db')}`, folder: join(copy, 'files') };
  await (await openVault(readable)).close();
  world.vault = await openVault(world.options);
  await world.vault.erase({ subject: 'erase-patient' });
  await world.vault.close();
  const keys = await openPassphraseKeys({
    path: join(world.folder, 'vault-keys'),
    passphrase: 'correct horse',
    random: seededRandom('again'),
  });
  await assert.rejects(openVault({ ...readable, keys, tolerateDamage: true }), { code: 'erased' });
  const target = {
    ...world.options,
    keys,
    url: `sqlite:${join(world.folder, 'r.db')}`,
    folder: join(world.folder, 'r'),
  };
  await assert.rejects(restoreVault(join(world.folder, 'backup'), target), { code: 'erased' });
  await world.remove();
});

test('an erasure cut short after its commit is finished by the next start', async () => {
  const world = await createVaultWorld('cut short');
  await plant(world);
  await world.vault.backup(join(world.folder, 'backup'));
  const { rotate } = world.keys;
  world.keys.rotate = async (name) => {
    if (name === 'backup') throw new Error('power cut');
    await rotate(name);
  };
  await assert.rejects(world.vault.erase({ subject: 'erase-patient' }), /power cut/);
  world.keys.rotate = rotate;
  const vault = await world.reopen();
  assert.equal(await vault.read('Observation', 'planted'), undefined);
  const target = {
    ...world.options,
    url: `sqlite:${join(world.folder, 'r.db')}`,
    folder: join(world.folder, 'r'),
  };
  await assert.rejects(restoreVault(join(world.folder, 'backup'), target), { code: 'erased' });
  assert.ok(existsSync(join(world.folder, 'backup', 'vault-backup.json')));
  await world.remove();
});

test('an erasure that fails after one that was cut short does not take the keys of the vault with it', async () => {
  const world = await createVaultWorld('fails after');
  await plant(world);
  const { rotate, wrap } = world.keys;
  world.keys.rotate = (name) => (name === 'backup' ? Promise.reject(new Error('full')) : rotate(name));
  await assert.rejects(world.vault.erase({ subject: 'erase-patient' }), /full/);
  world.keys.wrap = () => Promise.reject(new Error('full'));
  await assert.rejects(world.vault.rotateRoot(), /full/);
  Object.assign(world.keys, { rotate, wrap });
  await world.reopen();
  const vault = await world.reopen();
  assert.ok(await (await vault.read('Observation', 'other-1'))?.open());
  await world.remove();
});

/** What a writer of the closed database, without any key, can make of the row that tells of an unfinished erasure. */
function writeMarker(world: VaultWorld, marker: Uint8Array | undefined): void {
  const path = join(world.folder, 'vault.db');
  rmSync(`${path}.seal`, { force: true });
  const database = new DatabaseSync(path);
  database.prepare('DELETE FROM keyring WHERE slot = 2').run();
  if (marker !== undefined) database.prepare('INSERT INTO keyring VALUES (2, ?)').run(marker);
  database.close();
}

/** The row as it stands while keys are still to be destroyed; the next start destroys them. */
async function markerOfUnfinished(world: VaultWorld): Promise<Uint8Array> {
  const { rotate } = world.keys;
  world.keys.rotate = (name) => (name === 'backup' ? Promise.reject(new Error('full')) : rotate(name));
  await assert.rejects(world.vault.rotateRoot(), /full/);
  world.keys.rotate = rotate;
  assert.deepEqual(
    (await findingsOf(world.vault)).map(({ where, severity }) => [where, severity]),
    [['keyring 2', 'note']],
  );
  const database = new DatabaseSync(join(world.folder, 'vault.db'), { readOnly: true });
  const row = database.prepare('SELECT wrapped FROM keyring WHERE slot = 2').get();
  database.close();
  return row?.wrapped as Uint8Array;
}

test('who can only write to the database has no key destroyed, and the audit destroys none either', async () => {
  const world = await createVaultWorld('forged marker');
  await world.vault.put(sampleWrite('kept'));
  const played = await markerOfUnfinished(world);
  await world.reopen();
  const backup = join(world.folder, 'backup');
  await world.vault.backup(backup);
  await world.vault.close();
  for (const forged of [new Uint8Array(0), new Uint8Array([0, 0, 0, 2, ...played])]) {
    writeMarker(world, forged);
    const audited = await openVault({ ...world.options, tolerateDamage: true });
    const found = await findingsOf(audited);
    assert.deepEqual(
      found.map(({ where, severity }) => [where, severity]),
      [['keyring 2', undefined]],
    );
    await audited.refuseShutBackup(backup);
    await audited.close();
    await assert.rejects(openVault(world.options), { code: 'damaged', message: /No key was destroyed/ });
  }
  writeMarker(world, played);
  world.vault = await openVault(world.options);
  await world.vault.refuseShutBackup(backup);
  assert.deepEqual(await findingsOf(world.vault), [], 'that erasure was finished long ago');
  const cutShort = await markerOfUnfinished(world);
  await world.vault.close();
  writeMarker(world, cutShort);
  const audited = await openVault({ ...world.options, tolerateDamage: true });
  await audited.refuseShutBackup(backup);
  await audited.close();
  world.vault = await openVault(world.options);
  await assert.rejects(world.vault.refuseShutBackup(backup), { code: 'conflict' });
  await world.remove();
});

test('a damaged key of one patient keeps nobody else from being erased, and is named', async () => {
  const world = await createVaultWorld('damaged key');
  for (const subject of ['damaged', 'erased', 'kept'])
    await world.vault.put(sampleWrite(subject, { subject }));
  await world.vault.close();
  const path = join(world.folder, 'vault.db');
  rmSync(`${path}.seal`);
  const database = new DatabaseSync(path);
  const first = database.prepare('SELECT key_id, wrapped FROM category_keys ORDER BY key_id').get();
  const wrapped = Uint8Array.from(first?.wrapped as Uint8Array);
  wrapped[20] = (wrapped[20] ?? 0) ^ 1;
  const damage = database.prepare('UPDATE category_keys SET wrapped = ? WHERE key_id = ?');
  damage.run(wrapped, Number(first?.key_id));
  const named: number[] = [];
  world.vault = await openVault({ ...world.options, onDamagedKey: (keyId) => named.push(keyId) });
  await world.vault.erase({ subject: 'erased' });
  assert.deepEqual(named, [Number(first?.key_id)]);
  assert.ok(await (await world.vault.read('Observation', 'kept'))?.open());
  await assert.rejects(world.vault.read('Observation', 'damaged'), { code: 'damaged' });
  for (const row of database.prepare('SELECT key_id FROM category_keys').all())
    damage.run(wrapped, Number(row.key_id));
  database.close();
  await assert.rejects(
    world.vault.rotateRoot(),
    { code: 'damaged' },
    'where none opens, the root is a wrong one',
  );
  await world.remove();
});

test('of two erasures at once, one destroys its old keys before the other makes a new one', async () => {
  const world = await createVaultWorld('two at once');
  await plant(world);
  const { rotate, destroyOlder } = world.keys;
  const calls: string[] = [];
  const written = (verb: string, act: typeof rotate) => async (name: Parameters<typeof rotate>[0]) => {
    // A write comes after every erasure that has been asked for and does not wait for this one.
    if (verb === 'destroy') await world.vault.put(sampleWrite(`between-${calls.length}`));
    calls.push(`${verb} ${name}`);
    await act(name);
  };
  world.keys.rotate = written('rotate', rotate);
  world.keys.destroyOlder = written('destroy', destroyOlder);
  await Promise.all(['erase-patient', 'other-patient'].map((subject) => world.vault.erase({ subject })));
  const once = ['rotate root', 'destroy root', 'rotate backup', 'destroy backup'];
  assert.deepEqual(calls, [...once, ...once]);
  await world.remove();
});

test('a backup that an erasure has overtaken is refused, and one after an erasure that failed opens', async () => {
  const world = await createVaultWorld('overtaken');
  await plant(world);
  const { wrap, rotate } = world.keys;
  world.keys.wrap = async (name, ...secret) => {
    const wrapped = await wrap(name, ...secret);
    world.keys.wrap = wrap;
    if (name === 'backup') await world.vault.erase({ subject: 'erase-patient' });
    return wrapped;
  };
  await assert.rejects(world.vault.backup(join(world.folder, 'overtaken')), { code: 'conflict' });
  const backup = join(world.folder, 'backup');
  world.keys.rotate = (name) => (name === 'backup' ? Promise.reject(new Error('full')) : rotate(name));
  await assert.rejects(world.vault.erase({ resourceType: 'Observation', id: 'other-0' }), /full/);
  world.keys.rotate = rotate;
  await world.vault.backup(backup);
  await world.reopen();
  await world.vault.refuseShutBackup(backup);
  const url = `sqlite:${join(world.folder, 'r.db')}`;
  await restoreVault(backup, { ...world.options, url, folder: join(world.folder, 'r') });
  await world.vault.erase({ subject: 'other-patient' });
  await assert.rejects(world.vault.refuseShutBackup(backup), { code: 'conflict' });
  await world.remove();
});

test('PostgreSQL may keep old pages: what is in them cannot be opened any more', {
  skip: !hasPostgres(),
}, async () => {
  const postgres = await startPostgres();
  try {
    const url = await postgres.createDatabase();
    const world = await createVaultWorld('postgres erasure', url);
    await plant(world);
    await world.vault.close();
    const before = await openPostgresStore(url);
    const [old] = await before.reader.all('SELECT wrapped FROM keyring WHERE slot = 1');
    await before.close();
    world.vault = await openVault(world.options);
    await world.vault.erase({ subject: 'erase-patient' });
    await assert.rejects(
      world.keys.unwrap('root', old?.wrapped as Uint8Array, 'careledger/vault-keyring/v1'),
      { code: 'erased' },
    );
    assert.ok(!readFileSync(join(world.folder, 'vault-keys')).includes(CANARY));
    await world.remove();
  } finally {
    await postgres.stop();
  }
});
