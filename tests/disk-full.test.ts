/** A disk that is really full: a small tmpfs, which only root may mount; skipped where that is not permitted. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { OperationOutcome, Resource } from '@medplum/fhirtypes';
import { auditFolder, DEMO_KEYS, readKeyFile, startNode } from '../src/node/index.ts';
import { PASSPHRASE, sessionToken } from './node-fixture.ts';

const DISK_BYTES = 48 * 1024 * 1024;
const LEFT_BYTES = 2 * 1024 * 1024;
const AT_ONCE = 8;
const NOTE_BYTES = 20_000;
const INSUFFICIENT_STORAGE = 507;

const mountPoint = mkdtempSync(join(tmpdir(), 'careledger-full-'));
const mounted = spawnSync(
  'mount',
  ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0700`, 'tmpfs', mountPoint],
  {
    encoding: 'utf8',
  },
);
const skip = mounted.status === 0 ? false : 'a small disk cannot be mounted here (it takes root on Linux)';
after(() => {
  if (mounted.status === 0) spawnSync('umount', ['-l', mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

const config = {
  dataPath: join(mountPoint, 'data'),
  port: 0,
  passphrase: PASSPHRASE,
  logLevel: 'silent',
} as const;
const ballast = join(mountPoint, 'ballast');

test('a full disk refuses with 507, loses nothing it acknowledged, and goes on when there is space', {
  skip,
}, async (context) => {
  let node = await startNode(config);
  const token = () => sessionToken(node.url, readKeyFile(join(config.dataPath, 'demo', DEMO_KEYS.clinician)));
  const acknowledged = new Map<string, Resource>();
  context.after(() => node.close());
  let session = await token();
  await fillDisk();
  const refusals = await createUntilRefused(node.url, session, acknowledged);
  assert.ok(acknowledged.size > 0, 'something was written before the disk was full');
  for (const { status, outcome } of refusals) {
    assert.equal(status, INSUFFICIENT_STORAGE, JSON.stringify(outcome));
    assert.equal(outcome.issue?.[0]?.code, 'no-store');
    assert.match(outcome.issue?.[0]?.details?.text ?? '', /[Ff]ree|space/);
  }
  // Without room for its entry in the access log, nothing is disclosed.
  const withheld = await fetch(`${node.url}/fhir/R4/Patient/ana`, {
    headers: { authorization: `Bearer ${session}` },
  });
  assert.ok(withheld.status === 200 || withheld.status === INSUFFICIENT_STORAGE, String(withheld.status));

  rmSync(ballast);
  const again = await create(node.url, session, 'after');
  context.diagnostic(
    `${acknowledged.size} acknowledged; then ${again.status === 201 ? 'it went on by itself' : 'it wanted a restart'}`,
  );
  if (again.status !== 201) {
    await node.close();
    node = await startNode(config);
    session = await token();
    assert.equal((await create(node.url, session, 'after restart')).status, 201);
  }
  await assertAllThere(node.url, session, acknowledged);
  await node.close();

  const second = await startNode(config);
  node = second;
  await assertAllThere(second.url, await token(), acknowledged);
  await second.close();
  const { damaged } = await auditFolder({ path: config.dataPath, passphrase: PASSPHRASE }, () => undefined);
  assert.equal(damaged, 0, 'an audit finds ledger and vault whole');
});

/** Leaves room for a little. */
function fillDisk(): void {
  const { bavail, bsize } = statfsSync(mountPoint);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - LEFT_BYTES));
}

type Refusal = { readonly status: number; readonly outcome: OperationOutcome };

async function createUntilRefused(
  url: string,
  token: string,
  acknowledged: Map<string, Resource>,
): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  const worker = async (): Promise<void> => {
    for (let count = 0; refusals.length < 3 * AT_ONCE && count < 1000; count += 1) {
      const reply = await create(url, token, `${count}`);
      if (reply.status === 201) acknowledged.set(reply.resource.id as string, reply.resource);
      else refusals.push({ status: reply.status, outcome: reply.resource as OperationOutcome });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  assert.ok(refusals.length >= AT_ONCE, 'the disk became full');
  return refusals;
}

async function create(
  url: string,
  token: string,
  text: string,
): Promise<{ status: number; resource: Resource }> {
  const resource = {
    resourceType: 'Observation',
    status: 'final',
    code: { text: 'note' },
    subject: { reference: 'Patient/ana' },
    note: [{ text: text.padEnd(NOTE_BYTES, '.') }],
  };
  const reply = await fetch(`${url}/fhir/R4/Observation`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
    body: JSON.stringify(resource),
  });
  return { status: reply.status, resource: (await reply.json()) as Resource };
}

async function assertAllThere(
  url: string,
  token: string,
  acknowledged: ReadonlyMap<string, Resource>,
): Promise<void> {
  for (const [id, resource] of acknowledged) {
    const reply = await fetch(`${url}/fhir/R4/Observation/${id}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(reply.status, 200, id);
    assert.deepEqual(await reply.json(), resource, id);
  }
}
