import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BlockLog, LOG_FILE, SyncFailedError } from './block-log.ts';
import { LedgerDamageError } from './damage.ts';
import { HEAD_FILE } from './head-file.ts';
import { PowerLoss, type PowerLossStorage, powerLossStorage, seededRandom } from './power-loss-storage.ts';

const GENESIS = new TextEncoder().encode('genesis');
const payloadOf = (height: number): Uint8Array => new Uint8Array(20 + ((height * 37) % 900)).fill(height);

type Opened = { readonly log: BlockLog; readonly payloads: Uint8Array[] };

async function openLog(storage: PowerLossStorage): Promise<Opened> {
  const payloads: Uint8Array[] = [];
  const log = await BlockLog.open(storage, GENESIS, (frame) => void payloads.push(frame.payload.slice()));
  return { log, payloads };
}

async function referenceLog(blocks: number): Promise<PowerLossStorage> {
  const storage = powerLossStorage();
  const { log } = await openLog(storage);
  for (let height = 1; height <= blocks; height++) await log.append(height, payloadOf(height));
  await log.close();
  return storage;
}

function copyOf(storage: PowerLossStorage): PowerLossStorage {
  const copy = powerLossStorage();
  for (const name of storage.names()) copy.put(name, storage.content(name) as Uint8Array);
  return copy;
}

function flip(storage: PowerLossStorage, name: string, at: number): PowerLossStorage {
  const copy = copyOf(storage);
  const bytes = copy.content(name) as Uint8Array;
  bytes[at] = (bytes[at] as number) ^ 0x01;
  copy.put(name, bytes);
  return copy;
}

function cut(storage: PowerLossStorage, name: string, size: number): PowerLossStorage {
  const copy = copyOf(storage);
  copy.put(name, (copy.content(name) as Uint8Array).slice(0, size));
  return copy;
}

describe('the block log', () => {
  test('gives back every frame in order after it is opened again', async () => {
    const { log, payloads } = await openLog(await referenceLog(12));
    assert.equal(log.mark.height, 12);
    assert.deepEqual(payloads, [GENESIS, ...Array.from({ length: 12 }, (_, at) => payloadOf(at + 1))]);
    assert.deepEqual(log.recovery, { keptUnacknowledged: 0, rewrittenHeadSlots: [] });
  });

  test('names file, offset and height for every single flipped byte', async () => {
    const storage = await referenceLog(5);
    const frames = frameEnds(storage.content(LOG_FILE) as Uint8Array);
    for (let at = 0; at < (frames.at(-1) as number); at++) {
      const damaged = flip(storage, LOG_FILE, at);
      const height = frames.findIndex((end) => at < end);
      await assert.rejects(openLog(damaged), (error: unknown) => {
        assert(error instanceof LedgerDamageError);
        assert.deepEqual(error.place, { file: LOG_FILE, offset: frames[height - 1] ?? 0, height });
        return true;
      });
      assert.deepEqual(
        damaged.content(LOG_FILE),
        flip(storage, LOG_FILE, at).content(LOG_FILE),
        'nothing was changed',
      );
    }
  });

  test('finds every flipped byte of the head, and recovers since the other slot is whole', async () => {
    const storage = await referenceLog(3);
    for (let at = 0; at < 8192; at++) {
      const { log } = await openLog(flip(storage, HEAD_FILE, at));
      assert.deepEqual(log.recovery.rewrittenHeadSlots, [at < 4096 ? 0 : 1]);
      assert.equal(log.mark.height, 3);
    }
  });

  test('refuses a log cut at any point before the acknowledged end', async () => {
    const storage = await referenceLog(4);
    const size = (storage.content(LOG_FILE) as Uint8Array).length;
    for (let keep = 0; keep < size; keep++) {
      await assert.rejects(openLog(cut(storage, LOG_FILE, keep)), LedgerDamageError);
    }
  });

  test('sets a torn tail aside at every truncation point of an unacknowledged frame', async () => {
    const storage = await referenceLog(3);
    const acknowledged = (storage.content(LOG_FILE) as Uint8Array).length;
    const longer = await referenceLog(4);
    const whole = longer.content(LOG_FILE) as Uint8Array;
    for (let keep = acknowledged + 1; keep <= whole.length; keep++) {
      const crashed = copyOf(storage);
      crashed.put(LOG_FILE, whole.slice(0, keep));
      const { log } = await openLog(crashed);
      const isWhole = keep === whole.length;
      assert.equal(log.mark.height, isWhole ? 4 : 3);
      assert.equal(log.recovery.keptUnacknowledged, isWhole ? 1 : 0);
      const torn = crashed.content(`${LOG_FILE}.${acknowledged}.torn`);
      assert.deepEqual(torn, isWhole ? undefined : whole.slice(acknowledged, keep));
      await log.append(log.mark.height + 1, payloadOf(log.mark.height + 1));
      assert.equal((await openLog(crashed)).log.mark.height, isWhole ? 5 : 4);
    }
  });

  test('never overwrites an earlier torn file', async () => {
    const storage = await referenceLog(1);
    const end = (storage.content(LOG_FILE) as Uint8Array).length;
    const tail = (): void =>
      storage.put(LOG_FILE, Uint8Array.from([...(storage.content(LOG_FILE) as Uint8Array), 1, 2, 3]));
    tail();
    await openLog(storage);
    tail();
    const { log } = await openLog(storage);
    assert.deepEqual(log.recovery.tornTail, { file: `${LOG_FILE}.${end}-1.torn`, bytes: 3 });
    assert.deepEqual(storage.content(`${LOG_FILE}.${end}.torn`), Uint8Array.of(1, 2, 3));
  });

  test('takes a torn tail beside a damaged head slot for damage, since no power cut makes both', async () => {
    const storage = flip(await referenceLog(2), HEAD_FILE, 10);
    storage.put(LOG_FILE, Uint8Array.from([...(storage.content(LOG_FILE) as Uint8Array), 9]));
    await assert.rejects(openLog(storage), LedgerDamageError);
  });

  test('refuses a log without its head, and a head without its log', async () => {
    const storage = await referenceLog(2);
    const headless = powerLossStorage();
    headless.put(LOG_FILE, storage.content(LOG_FILE) as Uint8Array);
    await assert.rejects(openLog(headless), LedgerDamageError);
    const logless = powerLossStorage();
    logless.put(HEAD_FILE, storage.content(HEAD_FILE) as Uint8Array);
    await assert.rejects(openLog(logless), LedgerDamageError);
  });

  test('goes on after a full disk, and acknowledges nothing that was not written', async () => {
    const storage = await referenceLog(2);
    const { log } = await openLog(storage);
    storage.failWith((operation) => (operation === 'write' ? new Error('ENOSPC') : undefined));
    await assert.rejects(log.append(3, payloadOf(3)), /ENOSPC/);
    assert.equal(log.mark.height, 2);
    storage.failWith(undefined);
    await log.append(3, payloadOf(3));
    assert.equal((await openLog(storage)).log.mark.height, 3);
  });

  test('appends no block twice, nor two at once', async () => {
    const storage = await referenceLog(2);
    const { log } = await openLog(storage);
    const first = log.append(3, payloadOf(3));
    await assert.rejects(log.append(3, payloadOf(3)), /one frame is appended at a time/);
    await first;
    await assert.rejects(log.append(3, payloadOf(3)), /follows the last one/);
    assert.equal((await openLog(storage)).log.mark.height, 3);
  });

  test('says that the outcome is unknown when the disk does not confirm', async () => {
    const storage = await referenceLog(2);
    const { log } = await openLog(storage);
    storage.failWith((operation) => (operation === 'sync' ? new Error('EIO') : undefined));
    await assert.rejects(log.append(3, payloadOf(3)), SyncFailedError);
    assert.equal(log.mark.height, 2);
  });

  test('loses nothing acknowledged in a power cut at any operation, creation and recovery included', async () => {
    const seeds = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 12 }), fc.integer());
    await fc.assert(
      fc.asyncProperty(seeds, async ([firstLoss, secondLoss, seed]) => {
        const random = seededRandom(seed);
        const storage = powerLossStorage();
        storage.losePowerAfter(firstLoss);
        let acknowledged = await appendUntilLoss(storage, 0);
        const second = storage.afterPowerLoss(random);
        second.losePowerAfter(secondLoss);
        acknowledged = Math.max(acknowledged, await appendUntilLoss(second, acknowledged));
        const { log, payloads } = await openLog(second.afterPowerLoss(random));
        assert(
          log.mark.height >= acknowledged,
          `${acknowledged} was acknowledged, ${log.mark.height} was found`,
        );
        for (const [height, payload] of payloads.entries())
          if (height > 0) assert.deepEqual(payload, payloadOf(height));
      }),
      { numRuns: 1500, seed: 20261121 },
    );
  });
});

/** Appends until the power goes; the height that was last acknowledged. */
async function appendUntilLoss(storage: PowerLossStorage, atLeast: number): Promise<number> {
  let acknowledged = 0;
  try {
    const { log } = await openLog(storage);
    assert(log.mark.height >= atLeast, `${atLeast} was acknowledged, ${log.mark.height} was found`);
    acknowledged = log.mark.height;
    for (;;) {
      await log.append(acknowledged + 1, payloadOf(acknowledged + 1));
      acknowledged++;
    }
  } catch (error) {
    const cause = error instanceof SyncFailedError ? error.cause : error;
    if (!(cause instanceof PowerLoss)) throw error;
    return acknowledged;
  }
}

function frameEnds(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; ends.push(at)) at += 80 + view.getUint32(at + 12);
  return ends;
}
