/** A hospital's own sensitivity labels: what they name is withheld from then on, in a node with them and not in one without. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startTestNode } from './node-fixture.ts';
import { enrolPatient, grantTo } from './support/reference-node.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-labels-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const ASTHMA = { label: 'reproductive', system: 'http://snomed.info/sct', codes: '195967001' };

async function readOfAsthma(rows: readonly unknown[] | undefined, name: string): Promise<number> {
  const labelFile = rows && new TextEncoder().encode(JSON.stringify(rows));
  const node = await startTestNode({ logLevel: 'error', ...(labelFile !== undefined && { labelFile }) });
  try {
    const key = await enrolPatient(node.node, 'chi', join(folder, name));
    await grantTo(node.node, 'chi', key, node.demoKey('researcher').accountId);
    const token = await node.token('researcher', 'HRESCH');
    return (await node.fhir('Condition/chi-asthma', token)).status;
  } finally {
    await node.close();
  }
}

test('a code that the hospital adds makes its records sensitive', async () => {
  assert.equal(await readOfAsthma(undefined, 'without.json'), 200);
  assert.equal(await readOfAsthma([ASTHMA], 'with.json'), 404);
});

test('a node does not start with a label file that it does not understand', async () => {
  const labelFile = new TextEncoder().encode(JSON.stringify([{ ...ASTHMA, codes: 195967001 }]));
  await assert.rejects(startTestNode({ labelFile }), { code: 'invalid-request' });
});
