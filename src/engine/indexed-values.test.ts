import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import type { StateWrite } from '../ledger/index.ts';
import { IndexDatabase } from './index-database.ts';
import { IndexedValues } from './indexed-values.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-index-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const keyOf = (number: number): Uint8Array => {
  const key = new Uint8Array(32);
  // Spread as hashes are.
  new DataView(key.buffer).setUint32(0, number * 7919);
  new DataView(key.buffer).setUint32(28, number);
  return key;
};
const sampleValue = (number: number, version: number): Uint8Array =>
  Uint8Array.of(version, number & 0xff, number >> 8);
const frameHash = new Uint8Array(32).fill(7);

describe('the index of state values', () => {
  test('always shows the last committed block, and holds it after it is closed', async () => {
    const path = join(folder, 'index.db');
    const values = new IndexedValues(path);
    for (let version = 1; version <= 5; version++) {
      const writes: StateWrite[] = Array.from({ length: 3000 }, (_, at) => [
        keyOf(at),
        at % 10 === version ? undefined : sampleValue(at, version),
      ]);
      values.apply({ height: version, frameHash }, writes);
      for (let at = 0; at < 3000; at += 97) {
        assert.deepEqual(values.get(keyOf(at)), at % 10 === version ? undefined : sampleValue(at, version));
      }
      await values.ready();
      await new Promise((resolve) => setTimeout(resolve, version * 15));
    }
    await values.close();
    const database = new IndexDatabase(path);
    assert.deepEqual(database.mark(), { height: 5, frameHash });
    assert.equal([...database.entries()].length, 2700);
    assert.deepEqual(database.get(keyOf(6)), sampleValue(6, 5));
    assert.equal(database.get(keyOf(15)), undefined);
    database.close();
  });
});

test('a value that changed in the file, or a row that is gone, is refused and not believed', async () => {
  const path = join(folder, 'damaged.db');
  const values = new IndexedValues(path);
  values.apply({ height: 1, frameHash }, [
    [keyOf(1), sampleValue(1, 1)],
    [keyOf(2), sampleValue(2, 1)],
  ]);
  await values.close();
  const database = new DatabaseSync(path);
  database.exec('UPDATE state SET value = zeroblob(11) WHERE key = (SELECT min(key) FROM state)');
  database.close();
  assert.throws(() => new IndexDatabase(path).get(keyOf(1)), { code: 'damaged' });
  assert.throws(() => [...new IndexDatabase(path).entries()], { code: 'damaged' });
  const gone = new DatabaseSync(path);
  gone.exec('DELETE FROM state WHERE key = (SELECT min(key) FROM state)');
  gone.close();
  const again = new IndexedValues(path);
  assert.deepEqual([...again.storedEntries()].length, 1);
  const last = new DatabaseSync(path);
  last.exec('DELETE FROM state');
  last.close();
  again.confirmAbsenceWith(() => false);
  assert.throws(() => again.get(keyOf(2)), { code: 'damaged' });
  assert.equal(again.get(keyOf(3)), undefined);
  await again.close();
});
