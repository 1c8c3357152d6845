import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PASSPHRASE, startTestNode, type TestNode } from './node-fixture.ts';
import { type Run, runHere } from './support/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-govern-'));
let node: TestNode;
before(async () => {
  node = await startTestNode();
});
after(async () => {
  await node.close();
  rmSync(folder, { recursive: true, force: true });
});

function govern(...words: string[]): Promise<Run> {
  return runHere(['govern', ...words], {
    CARELEDGER_DATA: node.data,
    CARELEDGER_NODE: node.url,
    CARELEDGER_HOME: folder,
    CARELEDGER_PASSPHRASE: PASSPHRASE,
  });
}

async function json(...words: string[]): Promise<Record<string, unknown>> {
  const run = await govern(...words, '--json');
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as Record<string, unknown>;
}

test('members are admitted, and then decide together', async () => {
  const before = await json('list');
  assert.deepEqual(before.members, [before.organisation]);
  assert.deepEqual(before.versions, [{ version: 1, height: 0 }]);

  const key = join(folder, 'clinic.key.json');
  await runHere(['keys', 'create', key], {});
  const request = join(folder, 'clinic.json');
  const asked = await json('apply', request, '--key', key, '--role', 'hospital');
  assert.equal(asked.proposer, before.organisation);
  assert.doesNotMatch(readFileSync(request, 'utf8'), /seed/);
  assert.equal((await govern('propose', 'admit', key)).status, 2, 'a key file is not a request');
  const altered = join(folder, 'altered.json');
  const forged = readFileSync(request, 'utf8').replace(/"possessionProof": "../, '"possessionProof": "00');
  writeFileSync(altered, forged);
  assert.match((await govern('propose', 'admit', altered)).stderr, /bad-possession-proof/);
  assert.equal((await json('propose', 'admit', request)).status, 'executed', 'the only member decides alone');
  assert.equal(((await json('list')).members as string[]).length, 2);
  assert.match((await govern('propose', 'admit', request)).stderr, /already-a-member/);

  const opened = await json('propose', 'version', '2', '--at', '5000', '--blocks', '100');
  assert.equal(opened.status, 'open');
  assert.deepEqual(opened.tally, { yes: 1, no: 0, members: 2, needed: 2 });
  const id = opened.proposalId as string;
  const listed = (await govern('list')).stdout;
  assert.match(listed, new RegExp(`To vote on:\n {2}${id}\n {4}contract version 2 from block 5000 on`));
  assert.match(listed, /1 yes, 0 no of 2 members; 2 yes are needed/);
  const again = await govern('vote', id.slice(0, 8), '--yes');
  assert.equal(again.status, 3);
  assert.match(again.stderr, /already-voted/);
  assert.equal((await json('withdraw', id.slice(0, 8))).status, 'withdrawn');
  assert.equal((await govern('vote', id, '--no')).status, 4, 'it is no longer open');
});

test('what cannot be decided says why', async () => {
  const { organisation } = await json('list');
  const validator = `${String(organisation)},${Buffer.alloc(32, 1).toString('base64')},5`;
  const refused = await govern('propose', 'validators', validator);
  assert.equal(refused.status, 3);
  assert.match(refused.stderr, /bad-key|no-validators/);
  assert.equal((await govern('propose', 'validators', 'x,y,z')).status, 2);
  assert.equal((await govern('propose', 'validators', validator, validator)).status, 2, 'a key twice');
  assert.equal((await govern('propose', 'version', 'two', '--at', '9')).status, 2);
  assert.equal((await govern('propose', 'version', '2', '--at', '9000', '--blocks', '0')).status, 2);
  assert.match((await govern('propose', 'version', '1', '--at', '9000')).stderr, /version-not-ahead/);
  assert.equal((await govern('vote', 'abcdef')).status, 2, 'neither yes nor no');
  assert.equal((await govern('vote', 'abcdef', '--yes')).status, 4);
});
