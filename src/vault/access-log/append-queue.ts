import type { FileHandle } from 'node:fs/promises';
import { AppError, concatBytes, leafHash, MerkleLog } from '../../shared/index.ts';
import type { CategoryKey, StagedKeys } from '../keys/category-keys.ts';
import { fileError } from '../keys/replace-file.ts';
import { BOX_OVERHEAD_BYTES, sealBox } from '../keys/sealed-box.ts';
import { writeWithKeys } from '../tables/entries.ts';
import { subjectName, type VaultContext } from '../vault-context.ts';
import type { AccessEntryWrite, AccessReceipt, SignBatch } from './access-log.ts';
import { CHECK_BYTES, chainCheck, encodeHeader, FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from './frame.ts';
import type { LogIndex } from './log-index.ts';

const MAX_BATCH = 1024;
const MAX_WAITING = 100_000;
const MAX_ENTRY_BYTES = MAX_FRAME_BYTES - FRAME_HEADER_BYTES - BOX_OVERHEAD_BYTES - CHECK_BYTES;

type Waiting = {
  readonly entry: AccessEntryWrite;
  readonly subject: Uint8Array;
  readonly resolve: (receipt: AccessReceipt) => void;
  readonly reject: (error: unknown) => void;
};
type Encoded = {
  readonly bytes: Uint8Array;
  readonly leaf: Uint8Array;
  readonly subject: Uint8Array;
  readonly check: Uint8Array;
};

/** The end of the log as it is on the disk. */
export type LogEnd = { offset: number; check: Uint8Array };

export type AppendQueue = {
  append(entry: AccessEntryWrite): Promise<AccessReceipt>;
  /** Resolves when nothing is waiting; nothing is taken after it. */
  close(): Promise<void>;
};

/** Entries that wait at the same time are written together, flushed once, and signed once. */
export function createAppendQueue(
  context: VaultContext,
  file: FileHandle,
  path: string,
  index: LogIndex,
  end: LogEnd,
  signBatch: SignBatch | undefined,
): AppendQueue {
  let waiting: Waiting[] = [];
  let draining: Promise<void> | undefined;
  let broken: AppError | undefined;
  let closed = false;
  const flush = async (batch: readonly Waiting[]) => {
    try {
      const keys = await keysFor(context, batch);
      const frames = encodeBatch(context, batch, keys, index.tree.size, end.check);
      await writeFrames(file, path, frames, end);
      settle(batch, frames, index, end, signBatch);
    } catch (cause) {
      const error = cause instanceof AppError ? cause : fileError(path, cause);
      // What reached the file is cut off again; where that fails the log takes nothing more.
      await file.truncate(end.offset).catch(() => {
        broken = new AppError(
          'audit-failed',
          `The access log ${path} cannot be written. Check the disk and restart the node.`,
          { cause },
        );
      });
      for (const one of batch) one.reject(error);
    }
  };
  const drain = async () => {
    await new Promise((resume) => setImmediate(resume));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_BATCH);
      waiting = waiting.slice(MAX_BATCH);
      await flush(batch);
    }
    draining = undefined;
  };
  return {
    append: (entry) =>
      new Promise((resolve, reject) => {
        const refusal = broken ?? refusalOf(entry, waiting.length, closed);
        if (refusal !== undefined) return reject(refusal);
        waiting.push({ entry, subject: subjectName(context.naming, entry.subject), resolve, reject });
        draining ??= drain();
      }),
    close: async () => {
      closed = true;
      await draining;
    },
  };
}

function refusalOf(entry: AccessEntryWrite, waiting: number, closed: boolean): AppError | undefined {
  if (closed) return new AppError('closed', 'The vault is closed.');
  if (waiting >= MAX_WAITING)
    return new AppError('busy', 'Too many entries wait for the access log. Try again in a second.');
  if (entry.bytes.length > MAX_ENTRY_BYTES)
    return new AppError('body-too-large', 'An entry of the access log is over its limit.');
  return undefined;
}

/** One lookup a patient; the first entry about a patient makes the audit key, durable before anything is under it. */
async function keysFor(context: VaultContext, batch: readonly Waiting[]): Promise<CategoryKey[]> {
  const known = batch.map((one) => context.keys.cachedCurrent(one.subject, 'audit'));
  if (known.every((key) => key !== undefined)) return known as CategoryKey[];
  return writeWithKeys(context, async (session, staged: StagedKeys) => {
    const keys: CategoryKey[] = [];
    for (const one of batch) keys.push(await context.keys.ensure(session, one.subject, 'audit', staged));
    return keys;
  });
}

function encodeBatch(
  context: VaultContext,
  batch: readonly Waiting[],
  keys: readonly CategoryKey[],
  first: number,
  previous: Uint8Array,
): Encoded[] {
  let check = previous;
  return batch.map((one, at) => {
    const { keyId, key } = keys[at] as CategoryKey;
    if (key === undefined) throw new AppError('damaged', 'An audit key has no wrapping. Run the audit.');
    const boxLength = one.entry.bytes.length + BOX_OVERHEAD_BYTES;
    const header = encodeHeader(
      { index: first + at, batchFirst: first, keyId, subject: one.subject },
      boxLength,
    );
    const body = concatBytes(header, sealBox(key, one.entry.bytes, header, context.random));
    const leaf = leafHash(body);
    check = chainCheck(check, leaf);
    return { bytes: concatBytes(body, check), leaf, subject: one.subject, check };
  });
}

async function writeFrames(
  file: FileHandle,
  path: string,
  frames: readonly Encoded[],
  end: LogEnd,
): Promise<void> {
  const bytes = concatBytes(...frames.map((frame) => frame.bytes));
  try {
    for (let at = 0; at < bytes.length; ) {
      at += (await file.write(bytes, at, bytes.length - at, end.offset + at)).bytesWritten;
    }
    await file.datasync();
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** The batch is durable: put it in the tree, sign its root, and answer. */
function settle(
  batch: readonly Waiting[],
  frames: readonly Encoded[],
  index: LogIndex,
  end: LogEnd,
  signBatch: SignBatch | undefined,
): void {
  const first = index.tree.size;
  const tree = new MerkleLog();
  for (const frame of frames) {
    index.add(frame, end.offset);
    tree.append(frame.leaf);
    end.offset += frame.bytes.length;
    end.check = frame.check;
  }
  const covered = { root: tree.root(), firstLeafIndex: first, size: frames.length };
  const batchSignature = signBatch?.(covered) ?? new Uint8Array(0);
  for (const [at, one] of batch.entries()) {
    const leaf = (frames[at] as Encoded).leaf;
    one.resolve({
      leafIndex: first + at,
      leafHash: leaf,
      batch: covered,
      batchPath: tree.inclusionProof(at),
      batchSignature,
    });
  }
}
