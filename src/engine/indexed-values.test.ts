import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { StateWrite } from '../ledger/index.ts';
import { IndexDatabase } from './index-database.ts';
import { IndexedValues } from './indexed-values.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-index-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const keyOf = (number: number): Uint8Array => {
  const key = new Uint8Array(32);
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
