import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../shared/index.ts';
import { recordCommitment } from './commitment.ts';

const key = { resourceType: 'Observation', id: 'o1', version: 1 };
const content = utf8('{"resourceType":"Observation"}');
const salt = (byte: number) => new Uint8Array(32).fill(byte);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('one content under two salts has two commitments, so that nobody can guess it', () => {
  assert.notEqual(
    hex(recordCommitment(salt(1), key, 'p1', content)),
    hex(recordCommitment(salt(2), key, 'p1', content)),
  );
});

test('a commitment binds subject, type, id, version and content', () => {
  const all = [
    recordCommitment(salt(1), key, 'p1', content),
    recordCommitment(salt(1), key, 'p2', content),
    recordCommitment(salt(1), key, null, content),
    recordCommitment(salt(1), { ...key, resourceType: 'Condition' }, 'p1', content),
    recordCommitment(salt(1), { ...key, id: 'o2' }, 'p1', content),
    recordCommitment(salt(1), { ...key, version: 2 }, 'p1', content),
    recordCommitment(salt(1), key, 'p1', utf8('{}')),
  ];
  assert.equal(new Set(all.map(hex)).size, all.length);
  assert.equal(hex(recordCommitment(salt(1), key, 'p1', content)), hex(all[0] as Uint8Array));
});
