import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { openSqliteStore } from './sqlite-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-writer-'));
const COLUMNS = ['tab', 'name', 'value'];
const COUNT = 'SELECT COUNT(*) AS rows FROM entries';
after(() => rmSync(folder, { recursive: true }));

test('what a transaction gathers is done in order, and fails as a whole when the database refuses any of it', async () => {
  const store = await openSqliteStore(join(folder, 'gathered.db'));
  try {
    const row = ['t', new Uint8Array([1]), new Uint8Array([2])];
    const seen = await store.write(async (session) => {
      await session.insert('entries', COLUMNS, [row]);
      await session.runEach('DELETE FROM entries WHERE tab = ?', [['t']]);
      await session.insert('entries', COLUMNS, [row]);
      return session.all(COUNT);
    });
    assert.equal(seen[0]?.rows, 1, 'a transaction sees what it gathered');
    const twice = store.write((session) =>
      session.insert('entries', COLUMNS, [['u', new Uint8Array([1]), new Uint8Array([2])], row]),
    );
    await assert.rejects(twice, { code: 'conflict' });
    assert.equal((await store.reader.all(COUNT))[0]?.rows, 1, 'nothing of it is there');
    await store.write((session) => session.runEach('DELETE FROM entries WHERE tab = ?', [['t']]));
    assert.equal((await store.reader.all(COUNT))[0]?.rows, 0, 'the next transaction is not touched by it');
  } finally {
    await store.close();
  }
  await assert.rejects(
    store.write((session) => session.all(COUNT)),
    { code: 'closed' },
  );
});

test('an erasure waits for somebody who reads meanwhile, and then leaves an empty log', async () => {
  const path = join(folder, 'read.db');
  const store = await openSqliteStore(path);
  const reader = new DatabaseSync(path, { readOnly: true });
  try {
    await store.write((session) =>
      session.insert('entries', COLUMNS, [['t', new Uint8Array([1]), new Uint8Array([2])]]),
    );
    reader.exec('BEGIN');
    reader.prepare(COUNT).all();
    const scrubbed = store.scrub();
    setTimeout(() => reader.exec('COMMIT'), 100);
    await scrubbed;
    assert.equal(statSync(`${path}-wal`).size, 0);
  } finally {
    reader.close();
    await store.close();
  }
});

test('an erasure ends what reads an older moment; nobody who writes has to wait for its end', async () => {
  const store = await openSqliteStore(join(folder, 'older.db'));
  const row = ['t', new Uint8Array([1]), new Uint8Array([2])];
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const reading = store.snapshot(async (session) => {
    await session.all(COUNT);
    begun.resolve();
    await goOn.promise;
    return session.all(COUNT);
  });
  try {
    await begun.promise;
    const scrubbed = store.scrub();
    await store.write((session) => session.insert('entries', COLUMNS, [row]));
    await scrubbed;
    goOn.resolve();
    await assert.rejects(reading, { code: 'conflict' });
    assert.equal((await store.snapshot((session) => session.all(COUNT)))[0]?.rows, 1);
    assert.deepEqual(await store.integrity(), []);
  } finally {
    await store.close();
  }
});

test('who begins to read an older moment as an erasure begins reads the moment after it', async () => {
  const path = join(folder, 'begins.db');
  const store = await openSqliteStore(path);
  try {
    await store.write((session) =>
      session.insert('entries', COLUMNS, [['t', new Uint8Array([1]), new Uint8Array([2])]]),
    );
    const erased = Promise.withResolvers<void>();
    const reading = store.snapshot(async (session) => {
      const [before] = await session.all(COUNT);
      await erased.promise;
      return [before, ...(await session.all(COUNT))];
    });
    const scrubbed = store.scrub().finally(erased.resolve);
    await scrubbed;
    assert.equal(statSync(`${path}-wal`).size, 0);
    assert.deepEqual(
      (await reading).map((row) => row?.rows),
      [1, 1],
    );
  } finally {
    await store.close();
  }
});
