import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryQuery, SealedRecord } from '../../vault/index.ts';
import { underLabelsOfNow } from './labels-of-now.ts';

/** A record of so many versions, each a millisecond after the one before. */
function recordOf(versions: readonly { subject: string; labels?: readonly string[] }[]) {
  const stored = versions.map(
    ({ subject, labels = [] }, at) =>
      ({
        key: { resourceType: 'Observation', id: '1', version: at + 1 },
        subject,
        labels,
        lastUpdatedMs: at,
      }) as unknown as SealedRecord,
  );
  const newestFirst = stored.toReversed();
  const reader = {
    read: async () => newestFirst[0],
    history: async ({ after, limit = 10 }: HistoryQuery) =>
      newestFirst.filter(({ key }) => after === undefined || key.version < after.version).slice(0, limit),
  };
  return { stored, reader };
}

test('a version stays under what was said of it before its record was moved to another patient, however often that was written since', async () => {
  for (const writes of [1, 99, 100, 250]) {
    const moved = Array.from({ length: writes }, () => ({ subject: 'other' }));
    const { stored, reader } = recordOf([
      { subject: 'ana' },
      { subject: 'ana', labels: ['sealed'] },
      ...moved,
    ]);
    const [first] = await underLabelsOfNow(reader, stored.slice(0, 1));
    assert.deepEqual(first?.labels, ['sealed'], `${writes} writes`);
  }
});
