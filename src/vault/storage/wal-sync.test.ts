import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSqliteStore } from './sqlite-store.ts';

const INSERT = "INSERT INTO entries (tab, name, value) VALUES ('t', x'01', x'02')";
const COUNT = 'SELECT COUNT(*) AS rows FROM entries';

test('nobody hears of a commit, nor reads it, before it is on the disk', async () => {
  const held = await holdFlushes();
  const folder = mkdtempSync(join(tmpdir(), 'careledger-wal-'));
  const store = await openSqliteStore(join(folder, 'vault.db'));
  try {
    const heard: string[] = [];
    const write = store
      .write(
        (session) => session.run(INSERT),
        () => heard.push('committed'),
      )
      .then(() => heard.push('write'));
    await held.begun;
    const read = store.reader.all(COUNT).then((rows) => heard.push(`read ${Number(rows[0]?.rows)}`));
    await new Promise((resume) => setTimeout(resume, 20));
    assert.deepEqual(heard, []);
    held.release();
    await Promise.all([write, read]);
    assert.deepEqual(heard.sort(), ['committed', 'read 1', 'write']);
  } finally {
    held.undo();
    await store.close();
    rmSync(folder, { recursive: true });
  }
});

test('after a flush that failed, no write and no read is answered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-wal-'));
  const store = await openSqliteStore(join(folder, 'vault.db'));
  const undo = await replaceFlush(async () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  });
  try {
    const write = () => store.write((session) => session.run(INSERT));
    await assert.rejects(write);
    await assert.rejects(() => store.reader.all(COUNT));
    undo();
    await assert.rejects(write, 'a disk that lost a flush is not believed again');
  } finally {
    undo();
    await store.close();
    rmSync(folder, { recursive: true });
  }
});

async function holdFlushes(): Promise<{ begun: Promise<void>; release: () => void; undo: () => void }> {
  let begin = (): void => undefined;
  let release = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const undo = await replaceFlush(async () => {
    begin();
    await released;
  });
  return { begun, release, undo };
}

/** Every file handle of the process flushes by this until it is undone. */
async function replaceFlush(flush: () => Promise<void>): Promise<() => void> {
  const handle = await open(process.execPath);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { datasync } = prototype;
  prototype.datasync = flush;
  return () => {
    prototype.datasync = datasync;
  };
}
