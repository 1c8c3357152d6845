/**
 * All 24 Synthea bundles through both doors, each twice: what is there afterwards is what was sent, once.
 * Needs `../shared/data/synthea-r4` and is skipped without it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Bundle } from '@medplum/fhirtypes';
import { PASSPHRASE, startTestNode, type TestNode } from './node-fixture.ts';

const FOLDER = fileURLToPath(new URL('../../shared/data/synthea-r4', import.meta.url));
const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const RESOURCES_IN_ALL = 6321;
const AT_ONCE = 4;
const skip = existsSync(FOLDER) ? false : 'the Synthea set (../shared/data/synthea-r4) is not here';

type Counts = Readonly<Record<string, number>>;
type Sent = { readonly resources: number; readonly distinct: number };
type ImportAll = (node: TestNode, files: readonly string[], sent: Sent) => Promise<void>;

test('bundles sent to POST /fhir/R4 twice are there once', { skip }, async (context) => {
  await importTwice(context, async (node, files) => {
    const token = await node.token('clinician');
    const waiting = [...files];
    const worker = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const headers = { 'content-type': 'application/fhir+json' };
        const reply = await node.fhir('', token, {
          method: 'POST',
          headers,
          body: readFileSync(file, 'utf8'),
        });
        const answer = (await reply.json()) as Bundle;
        assert.equal(reply.status, 200, `${file}: ${JSON.stringify(answer).slice(0, 400)}`);
        for (const { response } of answer.entry ?? []) assert.match(response?.status ?? '', /^20[01]/, file);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  });
});

test('bundles imported twice with the command line are there once', { skip }, async (context) => {
  let run = 0;
  await importTwice(context, async (node, files, sent) => {
    const report = await careledgerImport(node, files);
    run += 1;
    const { created, updated, unchanged } = report;
    assert.equal(report.files, files.length);
    assert.equal(Number(created) + Number(updated) + Number(unchanged), sent.resources);
    if (run === 1) assert.equal(created, sent.distinct, 'each resource is new once');
    else assert.deepEqual({ created, updated }, { created: 0, updated: 0 }, 'nothing new the second time');
  });
});

/** Imports into an empty node, counts, imports again and counts again; and looks that no record got a second version. */
async function importTwice(context: TestContext, importAll: ImportAll): Promise<void> {
  const files = bundleFiles();
  const ids = files.flatMap(resourcesOf);
  assert.equal(ids.length, RESOURCES_IN_ALL);
  const distinct = [...new Set(ids)];
  const types = [...new Set(distinct.map(typeOf))];
  const node = await startTestNode({ logLevel: 'error' });
  try {
    const before = await countStored(node, types);
    const expected = Object.fromEntries(
      types.map((type) => [
        type,
        (before[type] as number) + distinct.filter((id) => typeOf(id) === type).length,
      ]),
    );
    for (const time of ['first', 'second']) {
      const startedMs = performance.now();
      await importAll(node, files, { resources: ids.length, distinct: distinct.length });
      const seconds = (performance.now() - startedMs) / 1000;
      context.diagnostic(
        `${time} time: ${ids.length} resources, ${distinct.length} of them distinct, in ${seconds.toFixed(1)} s (${(ids.length / seconds).toFixed(0)}/s)`,
      );
      assert.deepEqual(await countStored(node, types), expected, `counts after the ${time} time`);
    }
    for (const id of distinct) {
      const [type, name] = id.split('/') as [string, string];
      assert.equal((await node.node.runtime.vault.read(type, name))?.key.version, 1, id);
    }
  } finally {
    await node.close();
  }
}

function bundleFiles(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
  return files.sort().map((file) => join(FOLDER, file));
}

function resourcesOf(file: string): string[] {
  const bundle = JSON.parse(readFileSync(file, 'utf8')) as Bundle;
  return (bundle.entry ?? []).map(({ resource }) => `${resource?.resourceType}/${resource?.id}`);
}

function typeOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
}

/** As a caller counts: one search a type. */
async function countStored(node: TestNode, types: readonly string[]): Promise<Counts> {
  const token = await node.token('clinician');
  const counts: Record<string, number> = {};
  for (const type of types) {
    const reply = await node.fhir(`${type}?_summary=count`, token);
    const answer = (await reply.json()) as Bundle;
    assert.equal(reply.status, 200, JSON.stringify(answer));
    counts[type] = answer.total ?? Number.NaN;
  }
  return counts;
}

function careledgerImport(node: TestNode, files: readonly string[]): Promise<Record<string, unknown>> {
  const words = ['--disable-warning=ExperimentalWarning', MAIN, 'import', ...files, '--json'];
  const child = spawn(process.execPath, words, {
    env: { ...process.env, CARELEDGER_DATA: node.data, CARELEDGER_PASSPHRASE: PASSPHRASE },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return new Promise((resolve, reject) =>
    child.once('close', (status) =>
      status === 0
        ? resolve(JSON.parse(output))
        : reject(new Error(`import ended with ${status}: ${errors}`)),
    ),
  );
}
