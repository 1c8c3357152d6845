import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromUtf8, leafHash, utf8, verifyConsistency, verifyInclusion } from '../../shared/index.ts';
import { type AccessBatch, openVault, type Vault } from '../index.ts';
import { findingsOf } from '../testing/vault-suite.ts';
import { createVaultWorld, type VaultWorld } from '../testing/vault-world.ts';
import { openLogFile, scanFrames } from './log-file.ts';

const logPath = (world: VaultWorld) => join(world.options.folder, 'access.log');
const append = (vault: Vault, at: number, subject: string | null = `p${at % 3}`) =>
  vault.accessLog.append({ subject, bytes: utf8(`entry ${at}`) });

/** As a crash leaves it: no seal, so only the log itself can tell. */
async function withLog(world: VaultWorld, change: (path: string) => void): Promise<void> {
  await world.vault.close();
  rmSync(`${logPath(world)}.seal`);
  change(logPath(world));
}

test('each entry gets a place, a proof and one signature a batch; a patient lists own entries', async () => {
  const batches: AccessBatch[] = [];
  const signBatch = (batch: AccessBatch) => {
    batches.push(batch);
    return Uint8Array.of(batches.length);
  };
  const world = await createVaultWorld('log');
  const vault = await world.reopen({ signBatch });
  await append(vault, 100, null);
  const receipts = await Promise.all(Array.from({ length: 50 }, (_, at) => append(vault, at)));
  assert.ok(batches.length <= 4, 'entries that wait together share a signature');
  for (const receipt of receipts) {
    const { batch, leafIndex } = receipt;
    assert.ok(
      verifyInclusion(
        receipt.leafHash,
        leafIndex - batch.firstLeafIndex,
        batch.size,
        [...receipt.batchPath],
        batch.root,
      ),
    );
    assert.ok(
      verifyInclusion(
        receipt.leafHash,
        leafIndex,
        51,
        vault.accessLog.inclusionProof(leafIndex),
        vault.accessLog.root(),
      ),
    );
    assert.equal(receipt.batchSignature.length, 1);
    const entry = await vault.accessLog.entry(leafIndex);
    assert.deepEqual(leafHash(entry?.frame ?? new Uint8Array()), receipt.leafHash);
  }
  const own = await vault.accessLog.listBySubject('p1', { limit: 5 });
  assert.deepEqual(
    own.map((one) => fromUtf8(one.bytes ?? new Uint8Array())),
    ['entry 49', 'entry 46', 'entry 43', 'entry 40', 'entry 37'],
  );
  const next = await vault.accessLog.listBySubject('p1', {
    limit: 1,
    beforeLeafIndex: own[4]?.leafIndex ?? 0,
  });
  assert.equal(fromUtf8(next[0]?.bytes ?? new Uint8Array()), 'entry 34');
  assert.equal(vault.accessLog.countBySubject('p1'), 17);
  assert.ok(
    verifyConsistency(
      20,
      51,
      vault.accessLog.consistencyProof(20),
      vault.accessLog.root(20),
      vault.accessLog.root(),
    ),
  );
  assert.throws(() => vault.accessLog.inclusionProof(51), { code: 'not-found' });
  await world.remove();
});

test('a restart gives the same tree; anchors are remembered and must fit', async () => {
  const world = await createVaultWorld('anchors');
  await Promise.all(Array.from({ length: 20 }, (_, at) => append(world.vault, at)));
  const root = world.vault.accessLog.root();
  await world.vault.accessLog.markAnchored({ size: 8, root: world.vault.accessLog.root(8), height: 3 });
  await world.vault.accessLog.markAnchored({ size: 20, root, height: 9 });
  await assert.rejects(world.vault.accessLog.markAnchored({ size: 7, root, height: 9 }), {
    code: 'conflict',
  });
  const vault = await world.reopen();
  assert.deepEqual(vault.accessLog.root(), root);
  assert.equal((await vault.accessLog.anchored())?.height, 9);
  assert.deepEqual(
    [(await vault.accessLog.anchorOf(7))?.height, (await vault.accessLog.anchorOf(8))?.height],
    [3, 9],
  );
  await append(vault, 20);
  assert.equal(await vault.accessLog.anchorOf(20), undefined);
  await world.remove();
});

test('what a crash leaves of an entry is set aside, told and noted, and the log goes on', async () => {
  const world = await createVaultWorld('torn');
  for (let at = 0; at < 6; at++) await append(world.vault, at);
  const root = world.vault.accessLog.root(5);
  await withLog(world, () => rmSync(join(world.folder, 'vault.db.seal')));
  const bytes = readFileSync(logPath(world));
  const last = (bytes.length / 6) * 5;
  const zeros = (length: number) => Buffer.alloc(length);
  const tails = [1, 47, 60].flatMap((length) => {
    const begun = bytes.subarray(last, last + length);
    return [begun, Buffer.concat([begun, zeros(bytes.length / 6 - length + 16)])];
  });
  for (const tail of [zeros(200), ...tails]) {
    writeFileSync(logPath(world), Buffer.concat([bytes.subarray(0, last), tail]));
    world.vault = await openVault(world.options);
    assert.deepEqual(world.vault.accessLog.root(), root);
    assert.deepEqual(readFileSync(`${logPath(world)}.torn`), tail);
    assert.equal(world.vault.accessLog.tornBytes, tail.length);
    await world.vault.close();
  }
  world.vault = await openVault(world.options);
  assert.equal((await append(world.vault, 5)).leafIndex, 5);
  assert.deepEqual(
    (await findingsOf(world.vault)).map(({ severity, where }) => [severity, where]),
    [['note', `${logPath(world)}.torn`]],
  );
  await world.remove();
});

test('blocks of a batch that never reached the disk are a torn write, and damage where a later batch was begun', async () => {
  const world = await createVaultWorld('holes');
  const appendLarge = (count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        world.vault.accessLog.append({ subject: 'ana', bytes: new Uint8Array(700) }),
      ),
    );
  await append(world.vault, 0, 'ana');
  const acknowledged = statSync(logPath(world)).size;
  await appendLarge(20);
  const batch = statSync(logPath(world)).size;
  await append(world.vault, 21, 'ana');
  await withLog(world, () => rmSync(join(world.folder, 'vault.db.seal')));
  const bytes = readFileSync(logPath(world));
  for (const [from, to] of [
    [acknowledged, 4096],
    [4096, 8192],
    [8192, 8704],
  ] as const) {
    const holed = Buffer.from(bytes).fill(0, from, to);
    writeFileSync(logPath(world), holed);
    await assert.rejects(openVault(world.options), { code: 'damaged' }, `a later batch, from byte ${from}`);
    writeFileSync(logPath(world), holed.subarray(0, batch));
    world.vault = await openVault(world.options);
    const { size, tornBytes } = world.vault.accessLog;
    assert.ok(size > 0 && size < 21 && tornBytes > 0, `from byte ${from}`);
    await world.vault.close();
  }
  await world.remove();
});

test('no flipped bit of an entry that was acknowledged and not anchored passes for a torn write', async () => {
  const world = await createVaultWorld('last batch');
  await append(world.vault, 0);
  await Promise.all([1, 2].map((at) => append(world.vault, at)));
  await withLog(world, () => rmSync(join(world.folder, 'vault.db.seal')));
  const bytes = readFileSync(logPath(world));
  const file = await openLogFile(logPath(world));
  const frame = bytes.length / 3;
  const isLength = (at: number): boolean => at % frame >= 4 && at % frame < 8;
  for (let at = frame; at < bytes.length; at++) {
    for (const bit of isLength(at) ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8]) {
      await file.write(Uint8Array.of((bytes[at] as number) ^ (1 << bit)), 0, 1, at);
      const { damage } = await scanFrames(file, () => undefined);
      assert.equal(damage?.torn, false, `bit ${bit} of byte ${at}`);
    }
    await file.write(bytes, at, 1, at);
  }
  const last = bytes.length - 40;
  await file.write(Uint8Array.of((bytes[last] as number) ^ 1), 0, 1, last);
  await file.close();
  await assert.rejects(openVault(world.options), { code: 'damaged' });
  await world.remove();
});

test('a flipped byte anywhere in the log is found: refused or set aside, never taken', async () => {
  const world = await createVaultWorld('flips');
  for (let at = 0; at < 4; at++) await append(world.vault, at);
  await world.vault.accessLog.markAnchored({ size: 4, root: world.vault.accessLog.root(), height: 1 });
  await world.vault.close();
  rmSync(`${logPath(world)}.seal`);
  rmSync(join(world.folder, 'vault.db.seal'));
  const bytes = readFileSync(logPath(world));
  copyFileSync(join(world.folder, 'vault.db'), join(world.folder, 'kept.db'));
  for (let at = 0; at < bytes.length; at += 29) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (bytes[at] as number) ^ 0x10;
    writeFileSync(logPath(world), flipped);
    await assert.rejects(openVault(world.options), { code: 'damaged' }, `byte ${at}`);
    rmSync(`${logPath(world)}.torn`, { force: true });
  }
  writeFileSync(logPath(world), bytes);
  await (await openVault(world.options)).close();
  await world.remove();
});

test('damage in the middle, and a dropped or swapped entry, are named with their place', async () => {
  const world = await createVaultWorld('middle');
  for (let at = 0; at < 6; at++) await append(world.vault, at);
  await world.vault.close();
  rmSync(`${logPath(world)}.seal`);
  const bytes = readFileSync(logPath(world));
  const frame = bytes.length / 6;
  const changes: Record<string, Buffer> = {
    flipped: Buffer.from(bytes).fill(0, 2 * frame + 60, 2 * frame + 61),
    dropped: Buffer.concat([bytes.subarray(0, 2 * frame), bytes.subarray(3 * frame)]),
    swapped: Buffer.concat([
      bytes.subarray(0, 2 * frame),
      bytes.subarray(3 * frame, 4 * frame),
      bytes.subarray(2 * frame, 3 * frame),
      bytes.subarray(4 * frame),
    ]),
  };
  for (const [name, changed] of Object.entries(changes)) {
    writeFileSync(logPath(world), changed);
    await assert.rejects(
      openVault(world.options),
      (error: Error) => error.message.includes(`byte ${2 * frame} (entry 2)`),
      name,
    );
    assert.ok(!existsSync(`${logPath(world)}.torn`), 'damage is no torn write');
    const tolerant = await openVault({ ...world.options, tolerateDamage: true });
    const findings = await findingsOf(tolerant);
    assert.ok(
      findings.some((one) => one.kind === 'access-log' && one.where.includes(`byte ${2 * frame}`)),
      name,
    );
    await assert.rejects(append(tolerant, 9), { code: 'damaged' });
    await tolerant.close();
    assert.deepEqual(readFileSync(logPath(world)), changed, 'an audit changes nothing');
  }
  writeFileSync(logPath(world), bytes);
  await world.remove();
});

test('after an erasure an entry cannot be read, and its proof still verifies', async () => {
  const world = await createVaultWorld('erased entry');
  const receipt = await append(world.vault, 0, 'gone');
  await append(world.vault, 1, 'stays');
  await world.vault.erase({ subject: 'gone' });
  const vault = await world.reopen();
  const entry = await vault.accessLog.entry(0);
  assert.equal(entry?.bytes, undefined);
  assert.deepEqual(leafHash(entry?.frame ?? new Uint8Array()), receipt.leafHash);
  assert.ok(
    verifyInclusion(receipt.leafHash, 0, 2, vault.accessLog.inclusionProof(0), vault.accessLog.root()),
  );
  assert.equal(fromUtf8((await vault.accessLog.entry(1))?.bytes ?? new Uint8Array()), 'entry 1');
  assert.deepEqual(await findingsOf(vault), []);
  await world.remove();
});

test('a patient’s log can outlive the patient’s records', async () => {
  const world = await createVaultWorld('kept log');
  await world.vault.settings.set('x', utf8('y'));
  await world.vault.enrolmentCodes.issue({ code: 'c', patientId: 'p', expiresAtMs: 9e12 });
  await append(world.vault, 0, 'p');
  await world.vault.erase({ subject: 'p', accessLog: false });
  assert.equal(fromUtf8((await world.vault.accessLog.entry(0))?.bytes ?? new Uint8Array()), 'entry 0');
  assert.equal(await world.vault.enrolmentCodes.peek('c', 0), undefined);
  await world.remove();
});

test('a closed log and an entry that is too large are refused', async () => {
  const world = await createVaultWorld('closed');
  await assert.rejects(world.vault.accessLog.append({ subject: null, bytes: new Uint8Array(2 << 20) }), {
    code: 'body-too-large',
  });
  await world.vault.close();
  await assert.rejects(append(world.vault, 0), { code: 'closed' });
  await world.remove();
});
