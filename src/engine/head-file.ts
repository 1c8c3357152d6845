import { equalBytes, sha256Concat, utf8 } from '../shared/index.ts';
import { LedgerDamageError } from './damage.ts';
import type { Storage, StoredFile } from './storage.ts';

/** How far the log was acknowledged: the last frame's height, its hash, and the offset after it. */
export type HeadMark = { readonly height: number; readonly end: number; readonly frameHash: Uint8Array };

export const HEAD_FILE = 'head';
/** Each slot fills its own page, so a torn write of one cannot touch the other. */
const SLOT_BYTES = 4096;
const SLOTS = [0, 1] as const;
const MAGIC = utf8('CLH1');
const DOMAIN = utf8('careledger/head/v1\0');
const HASH_AT = SLOT_BYTES - 32;

type Slot = HeadMark & { readonly generation: number };

/** What the head file says: the newest mark, and the slots that do not read back as written. */
export type HeadReading = {
  readonly mark: HeadMark;
  readonly generation: number;
  readonly damagedSlots: readonly number[];
};

/** Reads both slots; when neither is whole the acknowledged end is unknown and the folder is damaged. */
export async function readHead(storage: Storage): Promise<HeadReading> {
  const file = await storage.openForReading(HEAD_FILE);
  try {
    const bytes = await file.read(0, SLOTS.length * SLOT_BYTES + 1);
    return interpretHead(bytes);
  } finally {
    await file.close();
  }
}

/** Whether at least one slot can be read. */
export async function headIsWhole(storage: Storage): Promise<boolean> {
  try {
    await readHead(storage);
    return true;
  } catch (cause) {
    if (cause instanceof LedgerDamageError) return false;
    throw cause;
  }
}

function interpretHead(bytes: Uint8Array): HeadReading {
  const slots = SLOTS.map((index) =>
    decodeSlot(bytes.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES)),
  );
  const damagedSlots = SLOTS.filter((index) => slots[index] === undefined);
  const newest = slots.reduce(
    (a, b) => (a === undefined || (b !== undefined && b.generation > a.generation) ? b : a),
    undefined,
  );
  if (newest === undefined)
    throw new LedgerDamageError('neither slot of the head is whole', { file: HEAD_FILE, offset: 0 });
  if (bytes.length > SLOTS.length * SLOT_BYTES) {
    throw new LedgerDamageError('the head is longer than its two slots', {
      file: HEAD_FILE,
      offset: SLOTS.length * SLOT_BYTES,
    });
  }
  const { generation, ...mark } = newest;
  return { mark, generation, damagedSlots };
}

/** The place of a damaged slot, for errors and findings. */
export function slotPlace(slot: number): { file: string; offset: number } {
  return { file: HEAD_FILE, offset: slot * SLOT_BYTES };
}

/** The open head file: marks go to the two slots in turn, each synced before `advance` returns. */
export class HeadFile {
  readonly #file: StoredFile;
  #generation: number;

  private constructor(file: StoredFile, generation: number) {
    this.#file = file;
    this.#generation = generation;
  }

  /** Creates an empty file; it says nothing until its slots are written. */
  static async create(storage: Storage): Promise<HeadFile> {
    return new HeadFile(await storage.create(HEAD_FILE), 0);
  }

  static async open(storage: Storage, generation: number): Promise<HeadFile> {
    return new HeadFile(await storage.open(HEAD_FILE), generation);
  }

  async advance(mark: HeadMark): Promise<void> {
    const generation = this.#generation + 1;
    const slot = generation % SLOTS.length;
    await this.#file.write(slot * SLOT_BYTES, encodeSlot({ ...mark, generation }));
    await this.#file.sync();
    this.#generation = generation;
  }

  /** Leaves two whole slots, one after the other, so that one of them is whole at every moment. */
  async writeBothSlots(mark: HeadMark): Promise<void> {
    for (const _ of SLOTS) await this.advance(mark);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function encodeSlot(slot: Slot): Uint8Array {
  const bytes = new Uint8Array(SLOT_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setBigUint64(4, BigInt(slot.generation));
  view.setBigUint64(12, BigInt(slot.height));
  view.setBigUint64(20, BigInt(slot.end));
  bytes.set(slot.frameHash, 28);
  bytes.set(sha256Concat(DOMAIN, bytes.subarray(0, HASH_AT)), HASH_AT);
  return bytes;
}

function decodeSlot(bytes: Uint8Array): Slot | undefined {
  if (bytes.length !== SLOT_BYTES || !equalBytes(bytes.subarray(0, 4), MAGIC)) return undefined;
  if (!equalBytes(sha256Concat(DOMAIN, bytes.subarray(0, HASH_AT)), bytes.subarray(HASH_AT)))
    return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    generation: Number(view.getBigUint64(4)),
    height: Number(view.getBigUint64(12)),
    end: Number(view.getBigUint64(20)),
    frameHash: bytes.slice(28, 60),
  };
}
