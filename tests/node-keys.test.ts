/** What an operator does when a passphrase has leaked: another one over all keys of the folder, and new keys over the vault. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs, { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { backupNode } from '../src/node/admin/backup.ts';
import { changePassphrase } from '../src/node/folder/change-passphrase.ts';
import { folderSealFindings, SEAL_NAME, sealFolder } from '../src/node/folder/folder-seal.ts';
import { openFolder } from '../src/node/folder/init-folder.ts';
import { readSigningKeys } from '../src/node/folder/signing-keys.ts';
import { dataFolder, initFolder, startNode } from '../src/node/index.ts';
import type { NodeRuntime } from '../src/node/runtime.ts';
import { AppError, utf8 } from '../src/shared/index.ts';
import { openPassphraseKeys } from '../src/vault/index.ts';
import { PASSPHRASE, startTestNode } from './node-fixture.ts';
import { runHere } from './support/run-cli.ts';

const NEXT = 'correct horse battery';
const folder = mkdtempSync(join(tmpdir(), 'careledger-node-keys-'));
const at = (name: string): string => join(folder, name);
after(() => rmSync(folder, { recursive: true, force: true }));

/** Every byte of the keys, and of what vouches for the folder. */
function keysAndSeal(data: string): Record<string, string> {
  const names = readdirSync(join(data, 'keys')).map((name) => `keys/${name}`);
  return Object.fromEntries(
    [...names, SEAL_NAME].map((name) => [name, readFileSync(join(data, name), 'hex')]),
  );
}

test('a leaked passphrase is replaced, then the vault gets new keys: all is read as before, and no older backup is', async () => {
  const first = await startTestNode({ withSamples: false });
  const { data } = first;
  const cli = (words: string[], passphrase = PASSPHRASE, env: Record<string, string> = {}) =>
    runHere([...words, '--data', data], { CARELEDGER_PASSPHRASE: passphrase, ...env });
  const content = async ({ vault }: NodeRuntime) => (await vault.read('Basic', 'kept'))?.open();
  writeFileSync(at('next'), `${NEXT}\n`);
  const change = ['keys', 'change-passphrase', '--new-file', at('next')];
  const { runtime } = first.node;
  await runtime.vault.put({
    key: { resourceType: 'Basic', id: 'kept', version: 1 },
    ...{
      subject: null,
      labels: [],
      tokens: [],
      lastUpdatedMs: 1,
      deleted: false,
      plaintext: utf8('as it was'),
    },
  });
  await backupNode(runtime, at('older'), () => undefined);

  for (const words of [change, ['keys', 'rotate-root', '--yes']]) {
    const running = await cli(words);
    assert.equal(running.status, 7, running.stderr);
    assert.match(running.stderr, /in use by another process.*Stop that one first/);
  }
  await first.node.close();

  const untouched = keysAndSeal(data);
  assert.equal((await cli(change, 'not the passphrase')).status, 3);
  const refused: [string, RegExp][] = [
    ['short', /at least 8 characters/],
    [PASSPHRASE, /is the present one/],
    ['begins well, ends badly ', /begins or ends with a space/],
  ];
  for (const [next, reason] of refused) {
    const run = await cli(change.slice(0, 2), PASSPHRASE, { CARELEDGER_NEW_PASSPHRASE: next });
    assert.equal(run.status, 2, run.stderr);
    assert.match(run.stderr, reason);
  }
  assert.equal((await cli([...change.slice(0, 3), at('absent')])).status, 4);
  assert.deepEqual(keysAndSeal(data), untouched);
  const changed = await cli([...change, '--json']);
  assert.equal(changed.status, 0, changed.stderr);
  assert.deepEqual(JSON.parse(changed.stdout), {
    changed: true,
    keptInFolder: false,
    replaceCopiesOf: join(data, 'keys'),
  });
  assert.ok(!existsSync(dataFolder(data).passphrase), 'a passphrase that was given is not written');
  const config = { dataPath: data, port: 0, logLevel: 'silent' } as const;
  await assert.rejects(startNode({ ...config, passphrase: PASSPHRASE }), { code: 'wrong-passphrase' });

  const unasked = await cli(['keys', 'rotate-root'], NEXT);
  assert.equal(unasked.status, 2, 'only with --yes');
  // New keys over a database named by mistake would be the end of the right one.
  const { vaultKeys } = dataFolder(data);
  const held = readFileSync(vaultKeys);
  const empty = await cli(['keys', 'rotate-root', '--yes', '--vault', `sqlite:${at('empty.db')}`], NEXT);
  assert.equal(empty.status, 4, empty.stderr);
  assert.deepEqual(readFileSync(vaultKeys), held);
  const rotated = await cli(['keys', 'rotate-root', '--yes'], NEXT);
  assert.equal(rotated.status, 0, rotated.stderr);
  assert.match(rotated.stdout, /open no backup from before/);
  assert.deepEqual(await folderSealFindings(dataFolder(data), runtime.opened.genesis.operatorKey), []);

  const second = await startNode({ ...config, passphrase: NEXT });
  assert.deepEqual(new Uint8Array((await content(second.runtime)) ?? []), utf8('as it was'));
  await second.close();
  const words = ['restore', at('older'), '--data', at('restored'), '--keys', join(data, 'keys')];
  const shut = await runHere(words, { CARELEDGER_PASSPHRASE: NEXT });
  assert.equal(shut.status, 4, shut.stderr);
  assert.match(shut.stderr, /backup key .*an erasure or a new root key has destroyed it/);
  rmSync(join(data, '..'), { recursive: true });
});

/** Runs the work, which can put no file in its place from the `cut`-th on, or only not that one. Tells whether it came to that. */
async function cutShort(work: () => Promise<unknown>, cut: number, onlyThere = false): Promise<boolean> {
  const whole = fs.renameSync;
  let count = 0;
  fs.renameSync = (from, to) => {
    count += 1;
    if (onlyThere ? count === cut : count >= cut) throw new Error('cut short');
    whole(from, to);
  };
  syncBuiltinESMExports();
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
  } finally {
    fs.renameSync = whole;
    syncBuiltinESMExports();
  }
  return count >= cut;
}

test('a change that was cut short leaves every key file open to one of the two passphrases, and is finished by the same again', async () => {
  const path = at('cut');
  initFolder({
    ...{ path, organisationName: 'Test', vault: 'sqlite', withSamples: false, nowMs: 1 },
    passphrase: undefined,
  });
  const { folder: paths, keys, passphrase } = openFolder(path, undefined);
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  const vaultKeys = (text: string) =>
    openPassphraseKeys({ path: paths.vaultKeys, passphrase: text, random, create: true, costLog2: 8 });
  const wrapped = await (await vaultKeys(passphrase.text)).wrap('root', utf8('a key'), 'test');
  await sealFolder({ folder: paths, keys });
  let [old, next] = [passphrase.text, NEXT];
  const change = () => changePassphrase({ path, passphrase: undefined, next, costLog2: 8 });
  // A disk that is full for one file lets the folder be sealed; what kills the process does not.
  for (const [cut, isKilled] of [
    [1, true],
    [2, true],
    [3, false],
  ] as const) {
    assert.ok(await cutShort(change, cut, !isKilled));
    await vaultKeys(cut === 1 ? old : next);
    assert.deepEqual(readSigningKeys(paths.signingKeys, cut === 3 ? next : old), keys);
    if (cut === 1) continue;
    assert.deepEqual(await change(), { keptInFolder: true });
    const opened = openFolder(path, undefined);
    assert.deepEqual([opened.keys, opened.passphrase], [keys, { text: next, keptInFolder: true }]);
    const unwrapped = await (await vaultKeys(next)).unwrap('root', wrapped, 'test');
    assert.deepEqual(new Uint8Array(unwrapped), utf8('a key'));
    [old, next] = [next, old];
  }
});
