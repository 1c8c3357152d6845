import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { toHex } from '../shared/index.ts';
import { verifyLedgerFolder } from './audit.ts';
import { restoreBackup, verifyBackup } from './backup.ts';
import { verifyManifest } from './backup-manifest.ts';
import { LOG_FILE } from './block-log.ts';
import { openEmbeddedEngine } from './embedded-engine.ts';
import type { Engine, Head } from './engine.ts';
import type { Finding } from './finding.ts';
import { encodeFrame, NO_FRAME_HASH } from './frame.ts';
import { HEAD_FILE, HeadFile } from './head-file.ts';
import { consentGrant, enrolment, SAMPLE_TIME_MS, sampleChain, sampleSigner } from './sample-chain.ts';
import { folderStorage } from './storage.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-backup-'));
after(() => rmSync(root, { recursive: true, force: true }));
const chain = sampleChain();

function open(folder: string): Promise<Engine> {
  return openEmbeddedEngine({
    folder,
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now: () => SAMPLE_TIME_MS,
    verifyWorkers: 0,
  });
}

async function all(findings: AsyncIterable<Finding>): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of findings) found.push(finding);
  return found;
}

const ledger = join(root, 'ledger');
const backup = join(root, 'backup');
let headAtBackup: Head;
let headAtEnd: Head;

before(async () => {
  const engine = await open(ledger);
  const patients = Array.from({ length: 4 }, (_, at) => sampleSigner(1, `patient ${at}`));
  await Promise.all(patients.map((patient) => engine.submit(enrolment(chain, patient))));
  for (const patient of patients) await engine.submit(consentGrant(chain, patient));
  headAtBackup = engine.head();
  const during = [
    engine.backup(backup),
    ...patients.map((patient) => engine.submit(consentGrant(chain, patient))),
  ];
  await Promise.all(during);
  headAtEnd = engine.head();
  await engine.close();
});

describe('an audit of a ledger folder', () => {
  test('finds nothing in a sound one, running or not', async () => {
    let pauses = 0;
    const pause = async (): Promise<void> => {
      pauses += 1;
    };
    assert.deepEqual(await all(verifyLedgerFolder(ledger, { chainId: chain.chainId, pause })), []);
    assert.equal(pauses, headAtEnd.height + 1, 'others may work after each block');
    const engine = await open(ledger);
    assert.deepEqual(
      (await all(verifyLedgerFolder(ledger))).filter(({ severity }) => severity === 'damage'),
      [],
    );
    await engine.close();
  });

  test('names another chain', async () => {
    const findings = await all(verifyLedgerFolder(ledger, { chainId: new Uint8Array(32) }));
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['genesis-mismatch'],
    );
  });

  test('names each damaged frame and goes on after it', async () => {
    const folder = copyOf(ledger);
    const path = join(folder, LOG_FILE);
    const bytes = readFileSync(path);
    const starts = frameStarts(bytes);
    for (const height of [2, 4])
      bytes[(starts[height] as number) + 100] = (bytes[(starts[height] as number) + 100] as number) ^ 1;
    writeFileSync(path, bytes);
    const findings = await all(verifyLedgerFolder(folder));
    const damaged = findings
      .filter(({ code }) => code === 'frame-damaged')
      .map(({ height, offset }) => [height, offset]);
    assert.deepEqual(damaged, [
      [2, starts[2]],
      [4, starts[4]],
    ]);
  });

  test('names a frame that was rewritten with all its hashes', async () => {
    const folder = copyOf(ledger);
    await rewriteFrame(folder, 2, (payload) => {
      payload[60 + 200] = (payload[60 + 200] as number) ^ 1;
    });
    const findings = await all(verifyLedgerFolder(folder));
    assert(
      findings.some(
        ({ code, height }) => height === 2 && (code === 'execution-differs' || code === 'record-invalid'),
      ),
      JSON.stringify(findings),
    );
    await assert.rejects(open(folder), { code: 'damaged' });
  });

  test('names a changed value in the index', async () => {
    const folder = copyOf(ledger);
    const database = new DatabaseSync(join(folder, 'index.db'));
    database.exec('UPDATE state SET value = zeroblob(9) WHERE key = (SELECT min(key) FROM state)');
    database.close();
    assert(
      (await all(verifyLedgerFolder(folder))).some(
        ({ code, severity }) => code === 'index-differs' && severity === 'damage',
      ),
    );
  });

  test('names a missing head, a missing log and a log that is too short', async () => {
    const codesAfter = async (change: (folder: string) => void): Promise<string[]> => {
      const folder = copyOf(ledger);
      change(folder);
      return (await all(verifyLedgerFolder(folder)))
        .filter(({ severity }) => severity === 'damage')
        .map(({ code }) => code);
    };
    assert.deepEqual(await codesAfter((folder) => rmSync(join(folder, HEAD_FILE))), ['head-damaged']);
    assert.deepEqual(await codesAfter((folder) => rmSync(join(folder, LOG_FILE))), ['log-missing']);
    const size = readFileSync(join(ledger, LOG_FILE)).length;
    assert(
      (await codesAfter((folder) => truncateSync(join(folder, LOG_FILE), size - 10))).includes(
        'log-truncated',
      ),
    );
  });
});

describe('a backup of the ledger', () => {
  test('holds what was acknowledged when it began, and nothing is wrong with it', async () => {
    assert.deepEqual(await all(verifyBackup(backup)), []);
    assert(existsSync(join(backup, 'manifest.jsonl')));
  });

  test('is restored to a ledger with the same head, which goes on', async () => {
    const folder = join(root, 'restored');
    await restoreBackup(backup, folder);
    const engine = await open(folder);
    assert.deepEqual(engine.head(), headAtBackup);
    assert.equal(
      (
        await engine.submit(
          enrolment(
            { ...chain, custodian: { ...chain.custodian, nextSequence: 4 } },
            sampleSigner(1, 'later'),
          ),
        )
      ).code,
      0,
    );
    await engine.close();
    const original = await open(ledger);
    assert.equal(toHex(original.head().appHash), toHex(headAtEnd.appHash));
    await original.close();
  });

  test('has every flipped byte found and its file named', async () => {
    const folder = copyOf(backup);
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length; at += name === HEAD_FILE ? 61 : 7) {
        bytes[at] = (bytes[at] as number) ^ 0x04;
        writeFileSync(path, bytes);
        const [finding] = await all(verifyManifest(folder));
        assert.equal(finding?.file, name, `byte ${at} of ${name}`);
        bytes[at] = (bytes[at] as number) ^ 0x04;
      }
      writeFileSync(path, bytes);
    }
  });

  test('is refused when it is damaged, and then nothing is restored', async () => {
    const folder = copyOf(backup);
    const target = join(root, 'not-restored');
    truncateSync(join(folder, LOG_FILE), 1000);
    await assert.rejects(restoreBackup(folder, target), { code: 'damaged' });
    await assert.rejects(restoreBackup(join(root, 'no-backup-here'), target), { code: 'damaged' });
    assert(!existsSync(target));
  });

  test('is never written, nor restored, over something', async () => {
    const occupied = join(root, 'occupied');
    mkdirSync(occupied);
    writeFileSync(join(occupied, 'mine'), 'keep');
    await assert.rejects(restoreBackup(backup, occupied), { code: 'folder-not-empty' });
    const engine = await open(ledger);
    await assert.rejects(engine.backup(occupied), { code: 'folder-not-empty' });
    await engine.close();
    assert.deepEqual(readdirSync(occupied), ['mine']);
  });
});

let copies = 0;
function copyOf(folder: string): string {
  const copy = join(root, `copy-${++copies}`);
  mkdirSync(copy);
  for (const name of readdirSync(folder))
    if (!name.startsWith('lock')) writeFileSync(join(copy, name), readFileSync(join(folder, name)));
  return copy;
}

function frameStarts(bytes: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; at += 80 + bytes.readUInt32BE(at + 12)) starts.push(at);
  return starts;
}

/** Changes one payload and computes every frame hash after it again, as somebody who knows the format would. */
async function rewriteFrame(
  folder: string,
  height: number,
  change: (payload: Uint8Array) => void,
): Promise<void> {
  const path = join(folder, LOG_FILE);
  const bytes = readFileSync(path);
  const starts = frameStarts(bytes);
  let previousHash = NO_FRAME_HASH;
  for (const [at, start] of starts.entries()) {
    const payload = bytes.subarray(start + 48, (starts[at + 1] ?? bytes.length) - 32);
    if (at === height) change(payload);
    const frame = encodeFrame(at, previousHash, payload);
    bytes.set(frame.bytes, start);
    previousHash = frame.hash;
  }
  writeFileSync(path, bytes);
  rmSync(join(folder, 'index.db'), { force: true });
  const head = await HeadFile.open(folderStorage(folder), 1000);
  await head.writeBothSlots({ height: starts.length - 1, end: bytes.length, frameHash: previousHash });
  await head.close();
}
