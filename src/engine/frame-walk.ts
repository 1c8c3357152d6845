import { equalBytes } from '../shared/index.ts';
import { LOG_FILE } from './block-log.ts';
import { LedgerDamageError } from './damage.ts';
import { damage, type Finding, note } from './finding.ts';
import {
  claimedHeight,
  decodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  type Frame,
  FrameError,
  frameLength,
  NO_FRAME_HASH,
} from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { HEAD_FILE, type HeadMark, type HeadReading, readHead, slotPlace } from './head-file.ts';
import type { Storage, StoredFile } from './storage.ts';

const SEARCH_BYTES = 1024 * 1024;

/** A whole frame, or something that is wrong. `follows` is false where frames before this one could not be read. */
export type WalkStep =
  | {
      readonly kind: 'frame';
      readonly frame: Frame;
      readonly follows: boolean;
      readonly acknowledgedEnd: number;
    }
  | { readonly kind: 'finding'; readonly finding: Finding };

/** Walks the log past whatever is damaged, without changing or locking anything, and names each place. */
export async function* walkFrames(storage: Storage): AsyncGenerator<WalkStep> {
  if (!(await storage.exists(LOG_FILE))) {
    yield found(damage('log-missing', LOG_FILE, `${LOG_FILE} is missing.`, { offset: 0, height: 0 }));
    return;
  }
  const head = await headOrFindings(storage);
  for (const finding of head.findings) yield found(finding);
  const log = await storage.openForReading(LOG_FILE);
  try {
    yield* walkLog(log, head.reading?.mark);
  } finally {
    await log.close();
  }
}

async function headOrFindings(storage: Storage): Promise<{ reading?: HeadReading; findings: Finding[] }> {
  if (!(await storage.exists(HEAD_FILE)))
    return { findings: [damage('head-damaged', HEAD_FILE, 'The head is missing.', { offset: 0 })] };
  try {
    const reading = await readHead(storage);
    const findings = reading.damagedSlots.map((slot) =>
      damage('head-damaged', HEAD_FILE, `Slot ${slot} of the head is damaged.`, slotPlace(slot)),
    );
    return { reading, findings };
  } catch (cause) {
    if (!(cause instanceof LedgerDamageError)) throw cause;
    return { findings: [damage('head-damaged', HEAD_FILE, cause.what, { offset: cause.place.offset })] };
  }
}

async function* walkLog(log: StoredFile, head: HeadMark | undefined): AsyncGenerator<WalkStep> {
  const fileSize = await log.size();
  const end = Math.min(head?.end ?? fileSize, fileSize);
  const reader = new FrameReader(log, end);
  let at: HeadMark = { height: -1, end: 0, frameHash: NO_FRAME_HASH };
  let follows = true;
  while (at.end < end) {
    const step = await nextFrame(reader, at);
    if (step.finding !== undefined) yield found(step.finding);
    const frame = step.frame ?? (await findFrame(reader, at.end + 1, end));
    if (frame === undefined) break;
    follows &&= step.finding === undefined;
    yield { kind: 'frame', frame, follows, acknowledgedEnd: end };
    at = { height: frame.height, end: frame.end, frameHash: frame.hash.slice() };
  }
  yield* compareWithHead(at, head, fileSize);
}

function* compareWithHead(at: HeadMark, head: HeadMark | undefined, fileSize: number): Generator<WalkStep> {
  if (head === undefined) return;
  if (fileSize < head.end) {
    const message = `${LOG_FILE} ends at byte ${fileSize}, but was acknowledged up to byte ${head.end} (height ${head.height}).`;
    yield found(damage('log-truncated', LOG_FILE, message, { offset: fileSize, height: head.height }));
  } else if (at.height !== head.height || !equalBytes(at.frameHash, head.frameHash)) {
    const message = `The head names height ${head.height} as the last one; the log reaches height ${at.height} there.`;
    yield found(damage('head-mismatch', HEAD_FILE, message, { offset: 0, height: head.height }));
  }
  if (fileSize > head.end) {
    const message = `${fileSize - head.end} bytes follow the acknowledged end: a block being written, or a torn tail the next start sets aside.`;
    yield found(note('log-tail', LOG_FILE, message, { offset: head.end }));
  }
}

async function nextFrame(
  reader: FrameReader,
  after: HeadMark,
): Promise<{ frame?: Frame; finding?: Finding }> {
  const height = after.height + 1;
  try {
    return { frame: await reader.frameAt(after.end, height, after.frameHash) };
  } catch (cause) {
    if (!(cause instanceof FrameError)) throw cause;
    const message = `${LOG_FILE} at byte ${after.end} (height ${height}): ${cause.message}.`;
    return { finding: damage('frame-damaged', LOG_FILE, message, { offset: after.end, height }) };
  }
}

/** The next place at or after `from` where a frame stands that matches its own hash. */
async function findFrame(reader: FrameReader, from: number, end: number): Promise<Frame | undefined> {
  for (let base = from; base < end; ) {
    const window = await reader.bytesAt(base, SEARCH_BYTES);
    const hit = Buffer.from(window.buffer, window.byteOffset, window.length).indexOf(FRAME_MAGIC);
    if (hit < 0) {
      base += Math.max(1, window.length - FRAME_MAGIC.length + 1);
      continue;
    }
    const frame = await selfConsistentFrame(reader, base + hit);
    if (frame !== undefined) return frame;
    base += hit + 1;
  }
  return undefined;
}

async function selfConsistentFrame(reader: FrameReader, offset: number): Promise<Frame | undefined> {
  try {
    const header = await reader.bytesAt(offset, FRAME_HEADER_BYTES);
    const length = frameLength(header);
    return decodeFrame(await reader.bytesAt(offset, length), offset, claimedHeight(header));
  } catch (cause) {
    if (cause instanceof FrameError) return undefined;
    throw cause;
  }
}

function found(finding: Finding): WalkStep {
  return { kind: 'finding', finding };
}
