import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { seededRandom } from '../testing/vault-world.ts';
import { openPassphraseKeys } from './passphrase-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-keys-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const random = seededRandom('keys');
const secret = Uint8Array.from({ length: 32 }, (_, at) => at);
const open = (name: string, passphrase = 'pässword', create = true) =>
  openPassphraseKeys({ path: join(folder, name), passphrase, random, create, costLog2: 8 });

test('wraps, unwraps after a restart, and only its owner can read the file', async () => {
  const wrapped = await (await open('plain')).wrap('root', secret, 'a');
  assert.deepEqual(new Uint8Array(await (await open('plain')).unwrap('root', wrapped, 'a')), secret);
  assert.equal(statSync(join(folder, 'plain')).mode & 0o777, 0o600);
});

test('another context, name or byte does not unwrap', async () => {
  const keys = await open('bound');
  const wrapped = await keys.wrap('root', secret, 'a');
  await assert.rejects(keys.unwrap('root', wrapped, 'b'), { code: 'damaged' });
  await assert.rejects(keys.unwrap('backup', wrapped, 'a'), { code: 'damaged' });
  for (let at = 0; at < wrapped.length; at++) {
    const flipped = Uint8Array.from(wrapped, (byte, index) => (index === at ? byte ^ 1 : byte));
    await assert.rejects(keys.unwrap('root', flipped, 'a'), { name: 'AppError' });
  }
});

test('a wrong passphrase and a damaged file are told apart, and neither changes the file', async () => {
  await open('told');
  const path = join(folder, 'told');
  const bytes = readFileSync(path);
  await assert.rejects(open('told', 'wrong'), { code: 'wrong-passphrase' });
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (bytes[at] as number) ^ 0x40;
    writeFileSync(path, flipped);
    await assert.rejects(open('told'), { code: 'damaged' }, `byte ${at}`);
  }
  writeFileSync(path, bytes.subarray(0, 20));
  await assert.rejects(open('told'), { code: 'damaged' });
  writeFileSync(path, bytes);
  await open('told');
  assert.deepEqual(readFileSync(path), bytes);
});

test('one passphrase composed in two ways is one passphrase; none is refused', async () => {
  await open('composed', 'pa\u0308ssword');
  await open('composed', 'p\u00e4ssword');
  await assert.rejects(open('composed', ''), { code: 'wrong-passphrase' });
});

test('a missing file is not made unless asked', async () => {
  await assert.rejects(open('absent', 'x', false), { code: 'not-found' });
});

test('a destroyed version opens nothing any more, here or after a restart', async () => {
  const keys = await open('rotated');
  const old = await keys.wrap('root', secret, 'a');
  await keys.rotate('root');
  const renewed = await keys.wrap('root', secret, 'a');
  assert.deepEqual(new Uint8Array(await keys.unwrap('root', old, 'a')), secret);
  await keys.destroyOlder('root');
  await assert.rejects(keys.unwrap('root', old, 'a'), { code: 'erased' });
  const again = await open('rotated');
  await assert.rejects(again.unwrap('root', old, 'a'), { code: 'erased' });
  assert.deepEqual(new Uint8Array(await again.unwrap('root', renewed, 'a')), secret);
});

test('a new passphrase replaces the old', async () => {
  const keys = await open('changed', 'old');
  const wrapped = await keys.wrap('backup', secret, 'a');
  await keys.changePassphrase('new');
  await assert.rejects(open('changed', 'old'), { code: 'wrong-passphrase' });
  assert.deepEqual(
    new Uint8Array(await (await open('changed', 'new')).unwrap('backup', wrapped, 'a')),
    secret,
  );
});

test('a change that could not be saved has not happened', async () => {
  const keys = await open('unsaved');
  const first = await keys.wrap('root', secret, 'a');
  await keys.rotate('root');
  const inTheWay = join(folder, 'unsaved.new');
  mkdirSync(inTheWay);
  for (const change of [
    () => keys.rotate('root'),
    () => keys.destroyOlder('root'),
    () => keys.changePassphrase('another'),
  ])
    await assert.rejects(change, { code: 'file-failed' });
  rmSync(inTheWay, { recursive: true });
  const second = await keys.wrap('root', secret, 'a');
  for (const reader of [keys, await open('unsaved')])
    for (const wrapped of [first, second])
      assert.deepEqual(new Uint8Array(await reader.unwrap('root', wrapped, 'a')), secret);
  await keys.rotate('backup');
  await open('unsaved');
});

test('an older copy of the file says that it is one', async () => {
  const keys = await open('copied');
  cpSync(join(folder, 'copied'), join(folder, 'older'));
  await keys.rotate('backup');
  const wrapped = await keys.wrap('backup', secret, 'a');
  await assert.rejects((await open('older')).unwrap('backup', wrapped, 'a'), {
    code: 'not-found',
    message: /older copy: it ends at version 1 of the backup key, and version 2 is needed/,
  });
});
