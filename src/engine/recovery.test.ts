import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { AppError, toHex } from '../shared/index.ts';
import { LOG_FILE } from './block-log.ts';
import { LedgerDamageError } from './damage.ts';
import { openEmbeddedEngine } from './embedded-engine.ts';
import type { Engine } from './engine.ts';
import { INDEX_FILE } from './index-database.ts';
import { powerLossStorage } from './power-loss-storage.ts';
import {
  consentGrant,
  enrolment,
  SAMPLE_TIME_MS,
  type SampleChain,
  sampleChain,
  sampleSigner,
} from './sample-chain.ts';
import { cutPower, openSimulatedEngine } from './simulated-engine.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-recovery-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const now = (): number => SAMPLE_TIME_MS + 1000;

function open(folder: string, chain: SampleChain = sampleChain()): Promise<Engine> {
  return openEmbeddedEngine({
    folder,
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now,
    verifyWorkers: 0,
  });
}

/** A folder with a ledger of some blocks, and the hash of its head. */
async function writeReference(folder: string, rounds: number): Promise<string> {
  const chain = sampleChain();
  const engine = await open(folder, chain);
  const patients = Array.from({ length: 5 }, (_, at) => sampleSigner(1, `patient ${at}`));
  for (const patient of patients) await engine.submit(enrolment(chain, patient));
  for (let round = 0; round < rounds; round++)
    await Promise.all(patients.map((patient) => engine.submit(consentGrant(chain, patient))));
  const hash = toHex(engine.head().appHash);
  await engine.close();
  return hash;
}

async function appHashOf(folder: string): Promise<string> {
  const engine = await open(folder);
  const hash = toHex(engine.head().appHash);
  await engine.close();
  return hash;
}

describe('opening a ledger folder', () => {
  const reference = join(root, 'reference');
  let expected = '';
  before(async () => {
    expected = await writeReference(reference, 6);
  });
  const copy = (): string => {
    const folder = join(root, `copy-${++folders}`);
    cpSync(reference, folder, { recursive: true });
    return folder;
  };

  test('gives the same head from the index and from the log alone', async () => {
    assert.equal(await appHashOf(copy()), expected);
    const folder = copy();
    rmSync(join(folder, INDEX_FILE));
    assert.equal(await appHashOf(folder), expected);
    assert.equal(await appHashOf(folder), expected, 'and again from the index that was built anew');
  });

  test('builds the index anew whatever is wrong with it', async () => {
    const size = readFileSync(join(reference, INDEX_FILE)).length;
    const spoil: ((path: string) => void)[] = [
      (path) => writeFileSync(path, ''),
      (path) => writeFileSync(path, Buffer.alloc(20_000, 0x55)),
      (path) => truncateSync(path, size >> 1),
      ...Array.from(
        { length: 40 },
        (_, at) => (path: string) => flipByte(path, Math.floor(((at + 0.5) * size) / 40)),
      ),
    ];
    for (const damage of spoil) {
      const folder = copy();
      damage(join(folder, INDEX_FILE));
      assert.equal(await appHashOf(folder), expected);
    }
  });

  test('does not believe an index that is ahead of the log, or of another ledger', async () => {
    const longer = join(root, 'longer');
    const other = join(root, 'other');
    await writeReference(longer, 9);
    await open(other, sampleChain(2)).then((engine) => engine.close());
    for (const source of [longer, other]) {
      const folder = copy();
      copyFileSync(join(source, INDEX_FILE), join(folder, INDEX_FILE));
      assert.equal(await appHashOf(folder), expected);
    }
  });

  test('catches up from an index that is behind', async () => {
    const folder = copy();
    const shorter = join(root, 'shorter');
    await writeReference(shorter, 2);
    copyFileSync(join(shorter, INDEX_FILE), join(folder, INDEX_FILE));
    assert.equal(await appHashOf(folder), expected);
  });

  test('refuses a damaged log and says where, and changes nothing', async () => {
    const folder = copy();
    const path = join(folder, LOG_FILE);
    flipByte(path, 2000);
    const damaged = readFileSync(path);
    await assert.rejects(
      open(folder),
      (error: unknown) =>
        error instanceof LedgerDamageError && /blocks\.log at byte \d+ \(height \d+\)/.test(error.message),
    );
    assert.deepEqual(readFileSync(path), damaged);
  });

  test('refuses another genesis and another operator key', async () => {
    const folder = copy();
    const other = sampleChain(2);
    await assert.rejects(open(folder, other), { code: 'wrong-genesis' });
    await assert.rejects(open(folder, { ...sampleChain(), operatorSeed: other.operatorSeed }), {
      code: 'wrong-genesis',
    });
    assert.equal(await appHashOf(folder), expected);
  });

  test('refuses a folder that is in use', async () => {
    const folder = copy();
    const engine = await open(folder);
    await assert.rejects(open(folder), { code: 'folder-in-use' });
    await engine.close();
    assert.equal(await appHashOf(folder), expected);
  });

  test('gives a typed error for a folder that may only be read', () => {
    const folder = copy();
    chmodSync(root, 0o755);
    chmodSync(folder, 0o555);
    const script = `
      process.setuid?.(process.getuid?.() === 0 ? 65534 : process.getuid?.());
      const { openEmbeddedEngine } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
      const { sampleChain } = await import(${JSON.stringify(new URL('./sample-chain.ts', import.meta.url).href)});
      const { genesis, operatorSeed } = sampleChain();
      await openEmbeddedEngine({ folder: ${JSON.stringify(folder)}, genesis, operatorSeed, now: Date.now }).then(
        () => console.log('opened'), (error) => console.log(error.code, error.message));
    `;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    chmodSync(folder, 0o755);
    assert.match(run.stdout, /^folder-not-writable .*Check/, run.stderr);
  });

  test('gives a typed error where the folder cannot be made', async () => {
    mkdirSync(join(root, 'taken'), { recursive: true });
    writeFileSync(join(root, 'taken', 'file'), '');
    await assert.rejects(open(join(root, 'taken', 'file', 'ledger')), AppError);
  });
});

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 0x10;
  writeFileSync(path, bytes);
}

describe('the embedded engine on a failing disk', () => {
  test('says that the disk is full, stays consistent, and goes on when there is room again', async () => {
    const chain = sampleChain();
    const storage = powerLossStorage();
    const engine = await openSimulatedEngine(storage, chain);
    await engine.submit(enrolment(chain, sampleSigner(1, 'first')));
    const head = engine.head();
    storage.failWith((operation) =>
      operation === 'write' ? new AppError('disk-full', 'No space is left.') : undefined,
    );
    const bytes = enrolment(chain, sampleSigner(1, 'second'));
    await assert.rejects(engine.submit(bytes), { code: 'disk-full' });
    assert.deepEqual(engine.head(), head);
    assert.equal(engine.inclusionProof(0)?.length, 0);
    storage.failWith(undefined);
    assert.equal((await engine.submit(bytes)).height, head.height + 1);
    assert.deepEqual((await openSimulatedEngine(storage, chain)).head(), engine.head());
  });

  test('acknowledges nothing after a sync that failed, and a restart finds a consistent ledger', async () => {
    const chain = sampleChain();
    const storage = powerLossStorage();
    const engine = await openSimulatedEngine(storage, chain);
    await engine.submit(enrolment(chain, sampleSigner(1, 'first')));
    const head = engine.head();
    storage.failWith((operation, name) =>
      operation === 'sync' && name === LOG_FILE ? new Error('EIO') : undefined,
    );
    const bytes = enrolment(chain, sampleSigner(1, 'second'));
    await assert.rejects(engine.submit(bytes), { code: 'storage-failed' });
    storage.failWith(undefined);
    await assert.rejects(engine.submit(bytes), { code: 'storage-failed' });
    assert.deepEqual(engine.head(), head);
    const again = await openSimulatedEngine(storage, chain);
    assert.equal((await again.submit(bytes)).code, 0);
  });

  test('loses nothing acknowledged in a power cut at any moment', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 90 }), fc.integer(), async (lossAfter, seed) => {
        assert.deepEqual((await cutPower(lossAfter, seed)).problems, []);
      }),
      { numRuns: 60, seed: 20261121 },
    );
  });
});
