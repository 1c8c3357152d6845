import { AppError, assert, equalBytes } from '../shared/index.ts';
import { LedgerDamageError } from './damage.ts';
import { decodeFrame, encodeFrame, type Frame, FrameError, NO_FRAME_HASH } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import {
  HEAD_FILE,
  HeadFile,
  type HeadMark,
  type HeadReading,
  headIsWhole,
  readHead,
  slotPlace,
} from './head-file.ts';
import type { Storage, StoredFile } from './storage.ts';

export const LOG_FILE = 'blocks.log';
const COPY_BYTES = 1024 * 1024;

/** What opening the log had to mend; nothing acknowledged is ever in a torn tail. */
export type Recovery = {
  readonly tornTail?: { readonly file: string; readonly bytes: number };
  readonly keptUnacknowledged: number;
  readonly rewrittenHeadSlots: readonly number[];
};

/**
 * The append-only log of frames and the head file beside it. `open` gives every frame to `onFrame`, in order and
 * checked, before the log may be appended to.
 */
export class BlockLog {
  readonly #storage: Storage;
  readonly #log: StoredFile;
  readonly #headFile: HeadFile;
  #mark: HeadMark;
  #dirtyEnd: number;
  #isAppending = false;
  readonly recovery: Recovery;

  /** Takes over files that `open` has checked and mended. */
  private constructor(
    storage: Storage,
    log: StoredFile,
    headFile: HeadFile,
    mark: HeadMark,
    recovery: Recovery,
  ) {
    this.#storage = storage;
    this.#log = log;
    this.#headFile = headFile;
    this.#mark = mark;
    this.#dirtyEnd = mark.end;
    this.recovery = recovery;
  }

  /** Opens or creates the log. `genesisPayload` is the payload of the frame at height 0 of a new log. */
  static async open(
    storage: Storage,
    genesisPayload: Uint8Array,
    onFrame: (frame: Frame) => void | Promise<void>,
  ): Promise<BlockLog> {
    await createIfNew(storage, genesisPayload);
    const reading = await readHead(storage);
    const log = await storage.open(LOG_FILE);
    try {
      const scan = await scanLog(log, reading, onFrame);
      const recovery = await setTailAside(storage, log, reading, scan);
      const headFile = await mendHead(storage, log, reading, scan);
      return new BlockLog(storage, log, headFile, scan.mark, recovery);
    } catch (cause) {
      await log.close();
      throw cause;
    }
  }

  /** The last acknowledged frame. */
  get mark(): HeadMark {
    return this.#mark;
  }

  /**
   * Appends one frame and makes it durable, log first and head after it, so that a torn head slot proves that the
   * log is whole. Throws without having changed what is acknowledged. The height is stated, because a block that was
   * appended twice would make the log unreadable.
   */
  async append(height: number, payload: Uint8Array): Promise<Frame> {
    assert(!this.#isAppending, 'one frame is appended at a time');
    assert(height === this.#mark.height + 1, 'a frame follows the last one of the log');
    this.#isAppending = true;
    try {
      return await this.#write(height, payload);
    } finally {
      this.#isAppending = false;
    }
  }

  async #write(height: number, payload: Uint8Array): Promise<Frame> {
    await this.#dropUnacknowledgedBytes();
    const offset = this.#mark.end;
    const { bytes, hash } = encodeFrame(height, this.#mark.frameHash, payload);
    this.#dirtyEnd = offset + bytes.length;
    await this.#log.write(offset, bytes);
    await this.#makeDurable({ height, end: this.#dirtyEnd, frameHash: hash });
    return { height, offset, end: this.#mark.end, payload, hash };
  }

  /** The frame that stands at a place known from the scan or from `append`, checked again. */
  async read(offset: number, end: number, height: number): Promise<Frame> {
    try {
      const bytes = await this.#log.read(offset, end - offset);
      return decodeFrame(bytes, offset, height);
    } catch (cause) {
      if (!(cause instanceof FrameError)) throw cause;
      throw new LedgerDamageError(cause.message, { file: LOG_FILE, offset, height });
    }
  }

  /** Raw bytes of the acknowledged log, for a backup. */
  readBytes(offset: number, length: number): Promise<Uint8Array> {
    return this.#log.read(offset, Math.min(length, this.#mark.end - offset));
  }

  async close(): Promise<void> {
    await this.#log.close();
    await this.#headFile.close();
  }

  /** What a failed write left behind the acknowledged end must go before the next frame is written there. */
  async #dropUnacknowledgedBytes(): Promise<void> {
    if (this.#dirtyEnd === this.#mark.end) return;
    await this.#log.truncate(this.#mark.end);
    this.#dirtyEnd = this.#mark.end;
  }

  /** After a failed sync nobody knows what the disk holds, so no further write may claim to be durable. */
  async #makeDurable(mark: HeadMark): Promise<void> {
    try {
      await this.#log.sync();
      await this.#headFile.advance(mark);
    } catch (cause) {
      throw new SyncFailedError(this.#storage.folder, cause);
    }
    this.#mark = mark;
  }
}

/** The disk did not confirm a write. Whether it is there is known only after the folder is opened again. */
export class SyncFailedError extends AppError {
  constructor(folder: string, cause: unknown) {
    super(
      'storage-failed',
      `The disk did not confirm a write in ${folder}. Restart the node: what is recorded is found then, and the same transaction may be submitted again.`,
      { cause },
    );
  }
}

type Scan = {
  readonly mark: HeadMark;
  readonly kept: readonly { offset: number; end: number }[];
  readonly fileSize: number;
};

async function scanLog(
  log: StoredFile,
  reading: HeadReading,
  onFrame: (frame: Frame) => void | Promise<void>,
): Promise<Scan> {
  const fileSize = await log.size();
  let mark: HeadMark = { height: -1, end: 0, frameHash: NO_FRAME_HASH };
  const advance = async (frame: Frame): Promise<void> => {
    await onFrame(frame);
    mark = { height: frame.height, end: frame.end, frameHash: frame.hash.slice() };
  };
  const acknowledged = new FrameReader(log, reading.mark.end);
  while (mark.end < reading.mark.end) await advance(await acknowledgedFrame(acknowledged, mark));
  checkReachesHead(mark, reading.mark);
  const kept: { offset: number; end: number }[] = [];
  const beyond = new FrameReader(log, fileSize);
  for (
    let frame = await frameIfWhole(beyond, mark);
    frame !== undefined;
    frame = await frameIfWhole(beyond, mark)
  ) {
    kept.push({ offset: frame.offset, end: frame.end });
    await advance(frame);
  }
  return { mark, kept, fileSize };
}

async function acknowledgedFrame(reader: FrameReader, after: HeadMark): Promise<Frame> {
  const height = after.height + 1;
  try {
    return await reader.frameAt(after.end, height, after.frameHash);
  } catch (cause) {
    if (!(cause instanceof FrameError)) throw cause;
    throw new LedgerDamageError(cause.message, { file: LOG_FILE, offset: after.end, height });
  }
}

function checkReachesHead(reached: HeadMark, head: HeadMark): void {
  if (
    reached.height === head.height &&
    reached.end === head.end &&
    equalBytes(reached.frameHash, head.frameHash)
  )
    return;
  throw new LedgerDamageError('the head names another last frame than the log has', {
    file: LOG_FILE,
    offset: reached.end,
    height: reached.height,
  });
}

async function frameIfWhole(reader: FrameReader, after: HeadMark): Promise<Frame | undefined> {
  try {
    return await reader.frameAt(after.end, after.height + 1, after.frameHash);
  } catch (cause) {
    if (cause instanceof FrameError) return undefined;
    throw cause;
  }
}

/** The torn tail goes to a file of its own before the log is cut; it was never acknowledged. */
async function setTailAside(
  storage: Storage,
  log: StoredFile,
  reading: HeadReading,
  scan: Scan,
): Promise<Recovery> {
  const mended = { keptUnacknowledged: scan.kept.length, rewrittenHeadSlots: reading.damagedSlots };
  const bytes = scan.fileSize - scan.mark.end;
  if (bytes === 0) return mended;
  if (reading.damagedSlots.length > 0) {
    // A head slot is written only after the log was synced, so a power cut cannot have torn both.
    throw new LedgerDamageError(
      'a slot of the head is damaged and the log has a torn tail',
      slotPlace(reading.damagedSlots[0] ?? 0),
    );
  }
  const file = await unusedTornName(storage, scan.mark.end);
  await copyTail(storage, log, scan.mark.end, bytes, file);
  await storage.syncFolder();
  await log.truncate(scan.mark.end);
  return { ...mended, tornTail: { file, bytes } };
}

async function copyTail(
  storage: Storage,
  log: StoredFile,
  start: number,
  bytes: number,
  name: string,
): Promise<void> {
  const aside = await storage.create(name);
  try {
    for (let done = 0; done < bytes; done += COPY_BYTES) {
      await aside.write(done, await log.read(start + done, Math.min(COPY_BYTES, bytes - done)));
    }
    await aside.sync();
  } finally {
    await aside.close();
  }
}

/** The log is made durable as it now is before the head says so, as in `append`. */
async function mendHead(
  storage: Storage,
  log: StoredFile,
  reading: HeadReading,
  scan: Scan,
): Promise<HeadFile> {
  for (const { offset, end } of scan.kept) {
    // Written again: a sync that failed before may have left clean pages that never reached the disk.
    await log.write(offset, await log.read(offset, end - offset));
  }
  await log.sync();
  const headFile = await HeadFile.open(storage, reading.generation);
  if (scan.kept.length > 0 || reading.damagedSlots.length > 0) await headFile.writeBothSlots(scan.mark);
  return headFile;
}

async function unusedTornName(storage: Storage, start: number): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const name = `${LOG_FILE}.${start}${attempt === 0 ? '' : `-${attempt}`}.torn`;
    if (!(await storage.exists(name))) return name;
  }
}

/**
 * Creates log and head, or finishes a creation that was interrupted: the genesis frame is durable before the head
 * exists, so without a whole head and with nothing beyond genesis, nothing was acknowledged yet.
 */
async function createIfNew(storage: Storage, genesisPayload: Uint8Array): Promise<void> {
  const hasHead = await storage.exists(HEAD_FILE);
  const hasLog = await storage.exists(LOG_FILE);
  if (hasHead && !hasLog)
    throw new LedgerDamageError('the log is missing', { file: LOG_FILE, offset: 0, height: 0 });
  const genesis = encodeFrame(0, NO_FRAME_HASH, genesisPayload);
  if (hasHead && !(await isInterruptedCreation(storage, genesis.bytes))) return;
  const log = hasLog ? await storage.open(LOG_FILE) : await storage.create(LOG_FILE);
  try {
    if (hasLog) await checkPrefixOfGenesis(log, genesis.bytes);
    await log.write(0, genesis.bytes);
    await log.sync();
  } finally {
    await log.close();
  }
  await storage.syncFolder();
  const mark: HeadMark = { height: 0, end: genesis.bytes.length, frameHash: genesis.hash };
  const head = hasHead ? await HeadFile.open(storage, 0) : await HeadFile.create(storage);
  await head.writeBothSlots(mark);
  await head.close();
  await storage.syncFolder();
}

async function isInterruptedCreation(storage: Storage, genesisFrame: Uint8Array): Promise<boolean> {
  if (await headIsWhole(storage)) return false;
  const log = await storage.openForReading(LOG_FILE);
  const size = await log.size();
  await log.close();
  return size <= genesisFrame.length;
}

/** A head that is missing beside a log with blocks is damage: how far the log was acknowledged is no longer known. */
async function checkPrefixOfGenesis(log: StoredFile, genesisFrame: Uint8Array): Promise<void> {
  const size = await log.size();
  if (size > genesisFrame.length)
    throw new LedgerDamageError('the head is missing', { file: HEAD_FILE, offset: 0 });
  const found = await log.read(0, size);
  const differs = found.findIndex((byte, at) => byte !== genesisFrame[at]);
  if (differs >= 0)
    throw new LedgerDamageError('the genesis frame is not whole', {
      file: LOG_FILE,
      offset: differs,
      height: 0,
    });
}
