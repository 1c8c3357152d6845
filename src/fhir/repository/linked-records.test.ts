import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { List } from '@medplum/fhirtypes';
import type { SealedRecord } from '../../vault/index.ts';
import { NOBODY_ELSE } from '../labels/index.ts';
import { placeWithLinked } from './linked-records.ts';

const NOBODYS = { subject: null, named: NOBODY_ELSE, isAboutKnown: false, takingPart: [] };
/** An Encounter of a patient each. */
const store = {
  read: async (resourceType: string, id: string) =>
    ({ key: { resourceType, id, version: 1 }, subject: `p${id}`, labels: [] }) as unknown as SealedRecord,
};
const listOf = (length: number): List => ({
  resourceType: 'List',
  status: 'current',
  mode: 'working',
  entry: Array.from({ length }, (_, at) => ({ item: { reference: `Encounter/${at}` } })),
});

test('a record refers to things of so many patients at most, who are all asked and told', async () => {
  const { named } = await placeWithLinked(store, listOf(1001), NOBODYS, 'http://test');
  assert.equal(named.others.length, 1000);
  await assert.rejects(placeWithLinked(store, listOf(1002), NOBODYS, 'http://test'), {
    code: 'invalid-resource',
  });
});
