import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { auditFolder, initFolder, startNode } from '../src/node/index.ts';
import { utf8 } from '../src/shared/index.ts';
import { PASSPHRASE, startTestNode } from './node-fixture.ts';

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'careledger-folder-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const quiet = { port: 0, logLevel: 'silent', passphrase: PASSPHRASE, withSamples: false } as const;

test('a stopped node starts again with everything, and soon', async () => {
  const dataPath = join(folder, 'again');
  const first = await startNode({ ...quiet, dataPath, withSamples: true });
  const { height } = first.runtime.engine.head();
  await first.close();
  const before = process.cpuUsage();
  const second = await startNode({ ...quiet, dataPath });
  // Work, not time: a busy machine is slow for everybody.
  const { user, system } = process.cpuUsage(before);
  assert.ok(second.runtime.engine.head().height >= height);
  assert.equal(
    (await second.runtime.vault.read('Patient', 'ana'))?.key.version,
    1,
    'the samples were not loaded twice',
  );
  await second.close();
  assert.ok(user + system < 10_000_000, `${user + system} µs`);
});

test('a start puts on the ledger what was left over, and does not fail at what the ledger refuses', async () => {
  const dataPath = join(folder, 'left-over');
  const first = await startNode({ ...quiet, dataPath });
  const { vault, custodian } = first.runtime;
  // No version of a patient can be under a pseudonym that is an organisation's.
  const sealingPublicKey = new Uint8Array(32);
  await vault.bindings.put({ patientId: 'zoe', accountId: custodian.accountHex, sealingPublicKey });
  const leave = (id: string, subject: string | null, author?: string) =>
    vault.put({
      key: { resourceType: 'Observation', id, version: 1 },
      ...{ subject, labels: [], tokens: [], lastUpdatedMs: 1, deleted: false, plaintext: utf8('{}') },
      ...(author !== undefined && { author }),
    });
  await leave('of-an-author-unknown-to-the-ledger', null, 'ab'.repeat(32));
  await leave('refused', 'zoe');
  await first.close();
  for (let start = 0; start < 2; start += 1) {
    const next = await startNode({ ...quiet, dataPath });
    assert.equal(next.runtime.recordAnchor.leftOver, 1);
    await next.close();
  }
});

test('what only the owner may read is for the owner only', async () => {
  const node = await startTestNode({ withSamples: false });
  try {
    for (const name of ['.', 'keys', 'vault', 'ledger'])
      assert.equal(statSync(join(node.data, name)).mode & 0o077, 0, name);
    for (const name of ['keys/signing.json', 'keys/vault.keys', 'admin.sock'])
      assert.equal(statSync(join(node.data, name)).mode & 0o077, 0, name);
    assert.ok(
      !existsSync(join(node.data, 'keys', 'passphrase')),
      'a passphrase that was given is not written',
    );
  } finally {
    await node.close();
  }
});

test('a port that is in use is named, and the folder can be started on another', async () => {
  const node = await startTestNode({ withSamples: false });
  const port = Number(new URL(node.url).port);
  const dataPath = join(folder, 'port');
  try {
    await assert.rejects(startNode({ ...quiet, dataPath, port }), {
      code: 'port-in-use',
      message: new RegExp(`${port}`),
    });
    assert.ok(!existsSync(dataPath), 'nothing is made for a node that cannot serve');
    const other = await startNode({ ...quiet, dataPath });
    await other.close();
  } finally {
    await node.close();
  }
});

test('a folder that another node holds is left alone', async () => {
  const node = await startTestNode({ withSamples: false });
  try {
    await assert.rejects(startNode({ ...quiet, dataPath: node.data }), { code: 'folder-in-use' });
    assert.equal((await fetch(`${node.url}/readyz`)).status, 200);
  } finally {
    await node.close();
  }
});

test('a wrong passphrase opens nothing and changes nothing', async () => {
  const dataPath = join(folder, 'passphrase');
  initFolder({
    path: dataPath,
    organisationName: 'Test',
    vault: 'sqlite',
    withSamples: false,
    passphrase: PASSPHRASE,
    nowMs: 1,
  });
  const before = readFileSync(join(dataPath, 'keys', 'signing.json'));
  await assert.rejects(startNode({ ...quiet, dataPath, passphrase: 'another one that is wrong' }), {
    code: 'wrong-passphrase',
  });
  const { passphrase: _given, ...without } = quiet;
  await assert.rejects(startNode({ ...without, dataPath }), { code: 'passphrase-missing' });
  assert.deepEqual(readFileSync(join(dataPath, 'keys', 'signing.json')), before);
});

test('a folder with something else in it, or without its description, is not filled', async () => {
  const foreign = join(folder, 'foreign');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'thesis.txt'), 'mine');
  await assert.rejects(startNode({ ...quiet, dataPath: foreign }), { code: 'folder-not-empty' });
  const robbed = join(folder, 'robbed');
  await (await startNode({ ...quiet, dataPath: robbed })).close();
  rmSync(join(robbed, 'node.json'));
  await assert.rejects(startNode({ ...quiet, dataPath: robbed }), { code: 'damaged' });
  await assert.rejects(
    auditFolder({ path: robbed, passphrase: PASSPHRASE }, () => undefined),
    { code: 'folder-not-initialised' },
  );
});

test('a folder that may not be written gives a typed error and an exit code', () => {
  const readOnly = join(folder, 'read-only');
  mkdirSync(readOnly);
  chmodSync(readOnly, 0o555);
  chmodSync(folder, 0o755);
  // Root may write anywhere, so a test that is root looks as somebody else.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const run = spawnSync(process.execPath, [MAIN, 'init', '--data', join(readOnly, 'data')], {
    encoding: 'utf8',
    ...nobody,
  });
  assert.equal(run.status, 7, run.stderr);
  assert.match(run.stderr, /may not .*read-only/);
  assert.match(run.stderr, /\[folder-not-writable\]/);
});

test('an audit of a stopped node finds it whole, and names a byte that changed', async () => {
  const dataPath = join(folder, 'audit');
  await (await startNode({ ...quiet, dataPath, withSamples: true })).close();
  const findings: unknown[] = [];
  const tell = (line: Record<string, unknown>): void =>
    void (line.finding !== undefined && findings.push(line.finding));
  assert.equal((await auditFolder({ path: dataPath, passphrase: PASSPHRASE }, tell)).damaged, 0);
  for (const file of ['ledger/blocks.log', 'vault/access.log', 'vault/vault.db', 'keys/vault.keys']) {
    const path = join(dataPath, file);
    const bytes = readFileSync(path);
    const changed = Buffer.from(bytes);
    changed[changed.length >> 1] = (changed[changed.length >> 1] as number) ^ 1;
    writeFileSync(path, changed);
    findings.length = 0;
    const summary = await auditFolder({ path: dataPath, passphrase: PASSPHRASE }, tell);
    assert.ok(summary.damaged > 0, file);
    assert.match(JSON.stringify(findings), new RegExp(file.split('/')[1] as string));
    await assert.rejects(
      startNode({ ...quiet, dataPath }),
      { code: 'damaged' },
      `${file}: a damaged node does not serve`,
    );
    writeFileSync(path, bytes);
  }
});
