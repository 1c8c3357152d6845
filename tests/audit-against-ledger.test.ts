/**
 * What somebody with the database open, or even with the vault's keys, takes away or puts in: the vault alone is consistent
 * afterwards, and only the ledger tells. Seals are removed, as an insider would.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { accountIdOf, publicKeyOf } from '../src/identity/index.ts';
import { auditNode } from '../src/node/admin/audit.ts';
import { backupNode } from '../src/node/admin/backup.ts';
import { eraseAndRecord } from '../src/node/admin/erasure.ts';
import { importBundle } from '../src/node/admin/import.ts';
import { openFolder } from '../src/node/folder/init-folder.ts';
import {
  auditFolder,
  type NodeFinding,
  type RunningNode,
  restoreNode,
  startNode,
} from '../src/node/index.ts';
import { openNodeVault } from '../src/node/open-runtime.ts';
import { utf8 } from '../src/shared/index.ts';
import type { Vault } from '../src/vault/index.ts';
import { PASSPHRASE } from './node-fixture.ts';
import { bundleOf, type ReferenceNode, referenceNode } from './support/reference-node.ts';

let reference: ReferenceNode;
before(async () => {
  reference = await referenceNode();
});
after(() => reference.remove());

/** The damage that the audit finds in a copy of the folder after a change to it. */
async function damageAfter(change: (data: string) => void | Promise<void>): Promise<string[]> {
  const data = join(reference.folder, 'copy');
  cpSync(reference.data, data, { recursive: true });
  try {
    for (const seal of ['seal.jsonl', 'vault/vault.db.seal', 'vault/access.log.seal'])
      rmSync(join(data, seal));
    await change(data);
    return await damageIn(data);
  } finally {
    rmSync(data, { recursive: true });
  }
}

function damageIn(path: string): Promise<string[]> {
  return listFindings((tell) => auditFolder({ path, passphrase: PASSPHRASE }, tell), 'damage');
}

async function listFindings(
  audit: (tell: (line: Record<string, unknown>) => void) => Promise<unknown>,
  wanted: NodeFinding['severity'],
): Promise<string[]> {
  const found: string[] = [];
  await audit(({ finding }) => {
    const { severity, where, what } = (finding ?? {}) as NodeFinding;
    if (severity === wanted) found.push(`${where}: ${what}`);
  });
  return found;
}

const QUIET = { port: 0, passphrase: PASSPHRASE, logLevel: 'silent', withSamples: false } as const;

function sql(data: string, ...statements: readonly string[]): void {
  const database = new DatabaseSync(join(data, 'vault', 'vault.db'));
  for (const statement of statements) assert.ok(database.prepare(statement).run().changes > 0, statement);
  database.close();
}

/** Works on the vault as its owner would, with all its keys. */
async function asInsider(data: string, work: (vault: Vault) => Promise<void>): Promise<void> {
  const opened = openFolder(data, PASSPHRASE);
  const publicKey = publicKeyOf(opened.keys.custodianSeed);
  const vault = await openNodeVault(opened, {}, { publicKey, accountId: accountIdOf(publicKey) });
  await work(vault);
  await vault.close();
}

/** Where each entry of the access log starts. */
function entryOffsets(data: string): number[] {
  const bytes = readFileSync(join(data, 'vault', 'access.log'));
  const magic = bytes.subarray(0, 4);
  const offsets: number[] = [];
  for (let at = 0; at >= 0; at = bytes.indexOf(magic, at + 1)) offsets.push(at);
  return offsets;
}

async function startRefusal(dataPath: string): Promise<string | undefined> {
  return startNode({ ...QUIET, dataPath }).then(
    (node) => node.close().then(() => undefined),
    (error: { code?: string }) => error.code,
  );
}

const DROP_ANCHORS = "DELETE FROM entries WHERE tab = 'access-anchor'";

test('without a change there is nothing to find', async () => {
  assert.deepEqual(await damageAfter(() => undefined), []);
});

test('entries dropped from the end of the access log are named, and the node does not start', async () => {
  const drop = (data: string): void => {
    const offsets = entryOffsets(data);
    truncateSync(join(data, 'vault', 'access.log'), offsets[1]);
    sql(data, DROP_ANCHORS);
  };
  const found = await damageAfter(drop);
  assert.match(
    found.join('\n'),
    /access log: It has 1 entries, but (\d+) were anchored on the ledger at height \d+: entries 1 to/,
  );
  assert.equal(found.length, 1, found.join('\n'));
  await damageAfter(async (data) => {
    drop(data);
    assert.equal(await startRefusal(data), 'damaged');
  });
});

test('a log cut within an entry is named with the byte', async () => {
  const found = await damageAfter((data) => {
    const offsets = entryOffsets(data);
    truncateSync(join(data, 'vault', 'access.log'), (offsets.at(-1) as number) + 20);
  });
  assert.match(found.join('\n'), /access\.log byte \d+ \(entry \d+\): The log ends in bytes/);
});

test('entries written anew in place of others are named', async () => {
  const found = await damageAfter(async (data) => {
    const count = entryOffsets(data).length;
    rmSync(join(data, 'vault', 'access.log'));
    sql(data, DROP_ANCHORS);
    await asInsider(data, async ({ accessLog }) => {
      for (let at = 0; at < count; at++) await accessLog.append({ subject: 'ref', bytes: utf8('nothing') });
    });
    rmSync(join(data, 'vault', 'vault.db.seal'));
  });
  assert.match(
    found.join('\n'),
    /Entries 0 to \d+ are not those that were anchored on the ledger at height \d+/,
  );
});

test('two entries that changed places are named', async () => {
  const found = await damageAfter((data) => {
    const path = join(data, 'vault', 'access.log');
    const bytes = readFileSync(path);
    const [, second, third = bytes.length] = entryOffsets(data) as [number, number, number];
    const parts = [bytes.subarray(second, third), bytes.subarray(0, second), bytes.subarray(third)];
    writeFileSync(path, Buffer.concat(parts));
  });
  assert.match(found.join('\n'), /access\.log byte 0 \(entry 0\)/);
});

test('a record taken out of the database, with all that points to it, is named', async () => {
  const found = await damageAfter((data) =>
    sql(
      data,
      "DELETE FROM tokens WHERE rid IN (SELECT rid FROM records WHERE resource_type = 'Observation')",
      "DELETE FROM records WHERE resource_type = 'Observation'",
    ),
  );
  assert.equal(found.length, 1, found.join('\n'));
  assert.match(
    found[0] ?? '',
    /whose commitment [0-9a-f]{64} is on the ledger at height \d+ is missing, and was not erased/,
  );
});

test('a version that was erased while it was damaged is not missing for ever, and stands for no other', async () => {
  const found = await damageAfter(async (data) => {
    sql(data, "UPDATE records SET meta = zeroblob(60) WHERE resource_type = 'Observation'");
    await asInsider(data, async (vault) => {
      await vault.erase({ resourceType: 'Observation', id: 'one' });
    });
    assert.deepEqual(await damageIn(data), []);
    rmSync(join(data, 'vault', 'vault.db.seal'));
    sql(
      data,
      "DELETE FROM tokens WHERE rid IN (SELECT rid FROM records WHERE resource_type = 'Patient')",
      "DELETE FROM records WHERE resource_type = 'Patient'",
    );
  });
  assert.equal(found.filter((one) => one.includes('is missing, and was not erased')).length, 2);
});

test('a record written anew by somebody with the keys is named, and what it took the place of', async () => {
  const found = await damageAfter(async (data) => {
    sql(
      data,
      "DELETE FROM tokens WHERE rid IN (SELECT rid FROM records WHERE resource_type = 'Observation')",
      "DELETE FROM records WHERE resource_type = 'Observation'",
    );
    await asInsider(data, async (vault) => {
      await vault.put({
        key: { resourceType: 'Observation', id: 'one', version: 1 },
        subject: 'ref',
        labels: [],
        lastUpdatedMs: 1_700_000_000_000,
        deleted: false,
        plaintext: utf8('{"resourceType":"Observation","id":"one"}'),
        tokens: [],
      });
    });
    sql(data, 'UPDATE records SET anchored = 1 WHERE anchored = 0');
    rmSync(join(data, 'vault', 'vault.db.seal'));
    rmSync(join(data, 'vault', 'access.log.seal'));
  });
  assert.match(found.join('\n'), /Observation.*: The ledger has no commitment/);
  assert.match(found.join('\n'), /is missing, and was not erased/);
});

test('an older database, seal and all, in place of the newest is named', async () => {
  const data = join(reference.folder, 'rolled-back');
  const kept = join(reference.folder, 'older');
  cpSync(reference.data, data, { recursive: true });
  cpSync(join(data, 'vault'), kept, { recursive: true });
  const node = await startNode({ ...QUIET, dataPath: data });
  await importBundle(
    node.runtime,
    bundleOf([{ resourceType: 'Patient', id: 'ref', birthDate: '1980-02-03', gender: 'female' }]),
  );
  await node.close();
  assert.deepEqual(await damageIn(data), []);
  for (const name of ['vault.db', 'vault.db.seal']) cpSync(join(kept, name), join(data, 'vault', name));
  assert.ok(existsSync(join(data, 'vault', 'vault.db.seal')));
  assert.match((await damageIn(data)).join('\n'), /is missing, and was not erased/);
});

test('an erasure that the vault forgot, so that others could pass for erased, is named', async () => {
  const found = await damageAfter((data) => sql(data, "DELETE FROM entries WHERE tab = 'erased'"));
  assert.match(
    found.join('\n'),
    /The erasure of 1 versions on the ledger at height \d+ is not in the vault's list/,
  );
  assert.match(found.join('\n'), /is missing, and was not erased/);
});

/** Works on a copy of the folder, unsealed, and starts a node on it. */
async function afterStart<T>(
  change: (data: string) => void | Promise<void>,
  work: (node: RunningNode, data: string) => Promise<T>,
): Promise<T> {
  let result: T | undefined;
  await damageAfter(async (data) => {
    await change(data);
    const node = await startNode({ ...QUIET, dataPath: data });
    try {
      result = await work(node, data);
    } finally {
      await node.close();
    }
  });
  return result as T;
}

test('an erasure that a crash kept from the ledger is put there by the next start, or by who tries again', async () => {
  const eraseOne = (data: string) =>
    asInsider(data, async (vault) => void (await vault.erase({ resourceType: 'Observation', id: 'one' })));
  const notes = async (node: RunningNode): Promise<string[]> => {
    const all = await listFindings((tell) => auditNode(node.runtime, tell), 'note');
    return all.filter((note) => note.includes('erasure'));
  };
  const left = await afterStart(eraseOne, async (node) => {
    assert.deepEqual(await notes(node), []);
    const { vault } = node.runtime;
    await vault.erase({ subject: 'ref' });
    const found = await notes(node);
    await assert.rejects(eraseAndRecord('Patient/ref', node.runtime), { code: 'not-found' });
    return [...found, ...(await notes(node))];
  });
  assert.deepEqual(left.length, 1, left.join('\n'));
  assert.match(left[0] ?? '', /is not on the ledger yet/);
});

test('a backup taken while somebody writes restores to a vault that is whole, and all of it is anchored again', async () => {
  const data = join(reference.folder, 'written');
  const backup = join(reference.folder, 'written-backup');
  const target = join(reference.folder, 'written-restored');
  cpSync(reference.data, data, { recursive: true });
  const node = await startNode({ ...QUIET, dataPath: data });
  const { runtime } = node;
  const duringBackup = async (folder: string): Promise<void> => {
    await importBundle(runtime, bundleOf([{ resourceType: 'Patient', id: 'late' }]));
    await runtime.vault.accessLog.append({ subject: 'late', bytes: utf8('seen') });
    await runtime.accessAnchor.anchorNow();
    // Until the versions are marked as anchored.
    await runtime.recordAnchor.stop();
    await runtime.vault.backup(folder);
  };
  const vault = { ...runtime.vault, backup: duringBackup };
  await backupNode({ ...runtime, vault }, backup, () => undefined);
  const { size } = runtime.vault.accessLog;
  await node.close();
  await restoreNode({ backup, target, keys: join(data, 'keys'), passphrase: PASSPHRASE });
  assert.deepEqual(await damageIn(target), []);
  const restored = await startNode({ ...QUIET, dataPath: target });
  await restored.runtime.accessAnchor.anchorNow();
  assert.equal((await restored.runtime.vault.accessLog.anchored())?.size, size);
  const { height } = (await restored.runtime.vault.accessLog.anchored()) ?? { height: Number.NaN };
  assert.ok(height <= restored.runtime.engine.head().height, 'by a block of this ledger');
  await restored.close();
  const notes = await listFindings(
    (tell) => auditFolder({ path: target, passphrase: PASSPHRASE }, tell),
    'note',
  );
  assert.deepEqual(
    notes.filter((note) => note.includes('not on the ledger yet')),
    [],
  );
  assert.deepEqual(await damageIn(target), []);
  for (const folder of [data, backup, target]) rmSync(folder, { recursive: true });
});

test('a consent whose rows were dropped is missed, and denies after the next start', async () => {
  const drop = (data: string): void =>
    sql(data, "DELETE FROM entries WHERE tab IN ('consent', 'consent-version', 'granted-consents')");
  const found = await damageAfter(drop);
  assert.equal(found.length, 1, found.join('\n'));
  assert.match(found[0] ?? '', /The consent [0-9a-f]{64}, granted on the ledger at height \d+, is missing/);
  const terms = await afterStart(drop, async ({ runtime }) =>
    (await runtime.consents.activeConsents('ref')).map((consent) => consent.terms),
  );
  assert.deepEqual(terms, [null]);
});

test('a node that lost whose consents those on the ledger are does not start, and the audit names them', async () => {
  for (const tab of ['binding-by-patient', 'binding-by-account']) {
    const drop = (data: string): void => sql(data, `DELETE FROM entries WHERE tab = '${tab}'`);
    const found = await damageAfter(async (data) => {
      drop(data);
      assert.equal(await startRefusal(data), 'damaged', tab);
    });
    assert.match(found.join('\n'), /The pseudonym [0-9a-f]{64} was enrolled .* lost whose it is/);
  }
});

test('a patient is no less lost with the row played back that the enrolment had written for a moment', async () => {
  const drop = (data: string): void => sql(data, "DELETE FROM entries WHERE tab LIKE 'binding-%'");
  const [lost = ''] = await damageAfter(drop);
  const account = /[0-9a-f]{64}/.exec(lost)?.[0] ?? '';
  const found = await damageAfter(async (data) => {
    drop(data);
    await asInsider(data, (vault) => vault.pseudonyms.announce(account));
    for (const name of ['vault.db.seal', 'access.log.seal']) rmSync(join(data, 'vault', name));
    assert.equal(await startRefusal(data), 'damaged');
  });
  assert.deepEqual(found, [lost]);
});
