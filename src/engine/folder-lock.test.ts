import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { AppError } from '../shared/index.ts';
import { lockFolder } from './folder-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-lock-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const holder = `
  const { lockFolder } = await import(process.argv[1]);
  lockFolder(process.argv[2]);
  process.stdout.write('held');
  setInterval(() => {}, 1000);
`;

describe('the folder lock', () => {
  test('refuses a second holder in the same process, until the first lets go', () => {
    const lock = lockFolder(folder);
    assert.throws(() => lockFolder(folder), { code: 'folder-in-use' });
    lock.release();
    lockFolder(folder).release();
  });

  test('names the process that holds it, and is free once that one is killed', async () => {
    const args = [
      '--input-type=module',
      '-e',
      holder,
      new URL('./folder-lock.ts', import.meta.url).href,
      folder,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    assert.throws(
      () => lockFolder(folder),
      (error: unknown) => error instanceof AppError && error.message.includes(`process ${child.pid}`),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockFolder(folder).release();
  });

  test('gives a typed error for a folder that is not there', () => {
    assert.throws(() => lockFolder(join(folder, 'missing')), { code: 'folder-not-writable' });
    assert(!existsSync(join(folder, 'missing')));
  });

  test('gives a typed error when something else stands in its place', () => {
    writeFileSync(join(folder, 'file'), '');
    assert.throws(() => lockFolder(join(folder, 'file')), AppError);
  });
});
