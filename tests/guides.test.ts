/** What the guides show is run as it stands there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { DEMO_KEYS } from '../src/node/index.ts';
import { startTestNode, type TestNode } from './node-fixture.ts';

const GUIDE = new URL('../docs/guides/app-developer.md', import.meta.url);

let node: TestNode;
before(async () => {
  node = await startTestNode();
});
after(() => node.close());

test('the app of the guide for developers opens a session, searches and writes', async () => {
  const [, script = ''] = /^```js\n([\s\S]*?)^```$/m.exec(readFileSync(GUIDE, 'utf8')) ?? [];
  const path = join(node.data, 'app.mjs');
  writeFileSync(path, script);
  const { stdout } = await promisify(execFile)(process.execPath, [path], {
    env: { CARELEDGER_NODE: node.url, CARELEDGER_KEY: join(node.data, 'demo', DEMO_KEYS.clinician) },
  });
  assert.match(stdout, /^[1-9]\d* observations of ana\n201 http\S+\/Observation\/\S+\/_history\/1\n/);
  assert.match(stdout, /^promise to log: true$/m);
});
