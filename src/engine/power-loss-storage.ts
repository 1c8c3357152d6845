import type { Storage, StoredFile } from './storage.ts';

const SECTOR_BYTES = 512;

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly truncateTo: number };
type SimulatedFile = { durable: Uint8Array; unsynced: Change[]; nameIsDurable: boolean };
type Disk = Map<string, SimulatedFile>;

/** Thrown by the operation during which the power goes, and by each one after it. */
export class PowerLoss extends Error {}

/** A number in [0, 1) from a seed, for repeatable losses. */
export type Random = () => number;

export type PowerLossStorage = Storage & {
  /** How many operations were made. */
  operations(): number;
  /** The power goes during the given operation from now. */
  losePowerAfter(operations: number): void;
  /** Throws in place of the operation when it returns an error; for a full disk and a failing sync. */
  failWith(
    fault: ((operation: 'write' | 'sync' | 'create', name: string) => Error | undefined) | undefined,
  ): void;
  /** The disk as it may be found after the loss: each unsynced change kept, torn or dropped. */
  afterPowerLoss(random: Random): PowerLossStorage;
  /** What a reader sees now. */
  content(name: string): Uint8Array | undefined;
  put(name: string, bytes: Uint8Array): void;
  names(): string[];
};

/** The storage port in memory, where only what was synced is sure to survive. For tests and campaigns. */
export function powerLossStorage(disk: Disk = new Map()): PowerLossStorage {
  let operations = 0;
  let lossAt = Number.POSITIVE_INFINITY;
  let fault: Parameters<PowerLossStorage['failWith']>[0];
  const step = async (operation?: 'write' | 'sync' | 'create', name = ''): Promise<boolean> => {
    operations++;
    if (operations > lossAt) throw new PowerLoss('the power is off');
    const error = operation === undefined ? undefined : fault?.(operation, name);
    if (error !== undefined) throw error;
    return operations === lossAt;
  };
  return {
    folder: '(simulated disk)',
    exists: async (name) => disk.has(name),
    open: async (name) => simulatedFile(name, fileOf(disk, name), step),
    openForReading: async (name) => simulatedFile(name, fileOf(disk, name), step),
    create: async (name) => {
      await step('create', name);
      if (disk.has(name)) throw new Error(`${name} exists`);
      const file: SimulatedFile = { durable: new Uint8Array(0), unsynced: [], nameIsDurable: false };
      disk.set(name, file);
      return simulatedFile(name, file, step);
    },
    syncFolder: async () => {
      const lost = await step('sync');
      if (lost) throw new PowerLoss('the power went during a sync');
      for (const file of disk.values()) file.nameIsDurable = true;
    },
    operations: () => operations,
    losePowerAfter: (count) => {
      lossAt = operations + count;
    },
    failWith: (next) => {
      fault = next;
    },
    afterPowerLoss: (random) => powerLossStorage(survivors(disk, random)),
    content: (name) => (disk.has(name) ? current(fileOf(disk, name)) : undefined),
    put: (name, bytes) => void disk.set(name, { durable: bytes.slice(), unsynced: [], nameIsDurable: true }),
    names: () => [...disk.keys()],
  };
}

function fileOf(disk: Disk, name: string): SimulatedFile {
  const file = disk.get(name);
  if (file === undefined) throw new Error(`${name} does not exist`);
  return file;
}

type Step = (operation?: 'write' | 'sync' | 'create', name?: string) => Promise<boolean>;

/** A change is recorded before the power goes in it, so the loss decides how much of it is kept. */
function simulatedFile(name: string, file: SimulatedFile, step: Step): StoredFile {
  const change = async (next: Change): Promise<void> => {
    const lost = await step('write', name);
    file.unsynced.push(next);
    if (lost) throw new PowerLoss('the power went during a write');
  };
  return {
    name,
    size: async () => current(file).length,
    read: async (offset, length) => current(file).slice(offset, offset + length),
    write: (offset, bytes) => change({ at: offset, bytes: bytes.slice() }),
    truncate: (size) => change({ truncateTo: size }),
    sync: async () => {
      const lost = await step('sync', name);
      if (lost) throw new PowerLoss('the power went during a sync');
      file.durable = current(file);
      file.unsynced = [];
    },
    close: async () => undefined,
  };
}

function current(file: SimulatedFile): Uint8Array {
  return file.unsynced.reduce(apply, file.durable.slice());
}

function apply(content: Uint8Array, change: Change): Uint8Array {
  if ('truncateTo' in change) return resized(content, change.truncateTo);
  const grown = resized(content, Math.max(content.length, change.at + change.bytes.length));
  grown.set(change.bytes, change.at);
  return grown;
}

function resized(content: Uint8Array, size: number): Uint8Array {
  const next = new Uint8Array(size);
  next.set(content.subarray(0, size));
  return next;
}

function survivors(disk: Disk, random: Random): Disk {
  const found: Disk = new Map();
  for (const [name, file] of disk) {
    if (!file.nameIsDurable && random() < 0.5) continue;
    const durable = file.unsynced
      .flatMap((change) => torn(change, random))
      .reduce(apply, file.durable.slice());
    found.set(name, { durable, unsynced: [], nameIsDurable: true });
  }
  return found;
}

/** Dropped, kept whole, or kept in some of its sectors only; disks write sectors in any order. */
function torn(change: Change, random: Random): Change[] {
  const fate = random();
  if (fate < 0.3) return [];
  if (fate < 0.5 || 'truncateTo' in change) return [change];
  if (fate < 0.75)
    return [{ at: change.at, bytes: change.bytes.slice(0, Math.floor(random() * change.bytes.length)) }];
  return sectorsOf(change).filter(() => random() < 0.5);
}

function sectorsOf(change: { at: number; bytes: Uint8Array }): Change[] {
  const sectors: Change[] = [];
  for (let start = 0; start < change.bytes.length; ) {
    const end = Math.min(
      change.bytes.length,
      (Math.floor((change.at + start) / SECTOR_BYTES) + 1) * SECTOR_BYTES - change.at,
    );
    sectors.push({ at: change.at + start, bytes: change.bytes.slice(start, end) });
    start = end;
  }
  return sectors;
}

/** A small seeded generator (mulberry32), so that a failing seed can be repeated. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
