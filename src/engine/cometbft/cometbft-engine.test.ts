import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { compareEngines } from './testing/equality.ts';
import { cometBftOrReason } from './testing/local-network.ts';

/** `npm run campaign:equality` runs ten thousand. */
const TRANSACTIONS = 300;
const folder = mkdtempSync(join(tmpdir(), 'careledger-comet-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : { timeout: 300_000 };
const binary = 'binary' in found ? found.binary : '';

test(
  'random transactions lead to the same on the embedded engine, on one validator and on four',
  options,
  async () => {
    const progress = (): void => undefined;
    const runs = await compareEngines({
      binary,
      folder,
      transactions: TRANSACTIONS,
      roundSize: 60,
      seed: 7,
      progress,
    });
    const kinds = new Set(runs[0]?.outcomes);
    for (const kind of [
      'recorded 0',
      'refused bad-signature',
      'refused sequence-gap',
      'malformed-transaction',
    ])
      assert.ok(kinds.has(kind), `there are transactions that are ${kind}`);
    assert.ok(kinds.size > 12, 'and many more kinds');
  },
);
