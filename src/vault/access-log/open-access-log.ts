import type { FileHandle } from 'node:fs/promises';
import { AppError, equalBytes, leafHash } from '../../shared/index.ts';
import { isDestroyed } from '../erasure/destroyed-keys.ts';
import { openBox } from '../keys/sealed-box.ts';
import { subjectName, type VaultContext } from '../vault-context.ts';
import type { AccessEntry, AccessLog, SignBatch } from './access-log.ts';
import { assertAnchored, createAnchors } from './anchors.ts';
import { createAppendQueue } from './append-queue.ts';
import { CHECK_BYTES, claimedLength, FRAME_HEADER_BYTES } from './frame.ts';
import { damagedLog, type LogDamage, openLogFile, readAt, scanFrames, setTailAside } from './log-file.ts';
import { LogIndex } from './log-index.ts';

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1000;

export type OpenAccessLog = AccessLog & {
  readonly file: FileHandle;
  readonly path: string;
  /** What the start found: damage that was tolerated, or a torn tail that was set aside. */
  readonly damage: LogDamage | undefined;
  /** How many bytes of the file are acknowledged entries. */
  readonly end: number;
  close(): Promise<void>;
};

/** Opens the log and checks every frame of it. Throws AppError `damaged` unless damage is tolerated for an audit. */
export async function openAccessLog(
  context: VaultContext,
  path: string,
  options: { readonly signBatch?: SignBatch | undefined; readonly tolerateDamage: boolean },
): Promise<OpenAccessLog> {
  const file = await openLogFile(path);
  const index = new LogIndex();
  try {
    const scan = await scanFrames(file, (frame, offset) => void index.add(frame, offset));
    let tornBytes = 0;
    if (scan.damage !== undefined && !options.tolerateDamage) {
      if (!scan.damage.torn) throw damagedLog(path, scan.damage);
      tornBytes = await setTailAside(file, path, scan.end);
    }
    const end = { offset: scan.end, check: scan.check };
    const anchors = createAnchors(
      context,
      (size) => index.tree.root(size),
      () => index.tree.size,
    );
    if (!options.tolerateDamage)
      await assertAnchored(anchors, (size) => index.tree.root(size), index.tree.size);
    const queue = createAppendQueue(context, file, path, index, end, options.signBatch);
    return {
      ...readsOf(context, file, index),
      ...proofsOf(index),
      get size() {
        return index.tree.size;
      },
      get end() {
        return end.offset;
      },
      append: async (entry) => {
        if (scan.damage !== undefined && !scan.damage.torn) throw damagedLog(path, scan.damage);
        return queue.append(entry);
      },
      anchored: anchors.newest,
      anchorOf: anchors.covering,
      markAnchored: anchors.add,
      tornBytes,
      file,
      path,
      damage: scan.damage,
      close: async () => {
        await queue.close();
        await file.close();
      },
    };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

function readsOf(
  context: VaultContext,
  file: FileHandle,
  index: LogIndex,
): Pick<AccessLog, 'entry' | 'listBySubject' | 'countBySubject'> {
  const entry = (leafIndex: number) => readEntry(context, file, index, leafIndex);
  return {
    entry: async (leafIndex) =>
      leafIndex >= 0 && leafIndex < index.tree.size ? entry(leafIndex) : undefined,
    listBySubject: async (subject, page = {}) => {
      const own = index.ofSubject(subjectName(context.naming, subject));
      const before = page.beforeLeafIndex ?? Number.POSITIVE_INFINITY;
      const limit = Math.min(page.limit ?? DEFAULT_PAGE, MAX_PAGE);
      const entries: AccessEntry[] = [];
      for (let at = own.length - 1; at >= 0 && entries.length < limit; at--) {
        const leafIndex = own[at] as number;
        if (leafIndex < before) entries.push(await entry(leafIndex));
      }
      return entries;
    },
    countBySubject: (subject) => index.ofSubject(subjectName(context.naming, subject)).length,
  };
}

function proofsOf(index: LogIndex): Pick<AccessLog, 'root' | 'inclusionProof' | 'consistencyProof'> {
  const { tree } = index;
  const checked = (size = tree.size): number => {
    if (!Number.isInteger(size) || size < 0 || size > tree.size) {
      throw new AppError('not-found', `The access log has ${tree.size} entries. Ask for a size up to that.`);
    }
    return size;
  };
  return {
    root: (size) => tree.root(checked(size)),
    inclusionProof: (leafIndex, size) => {
      const within = checked(size);
      if (!Number.isInteger(leafIndex) || leafIndex < 0 || leafIndex >= within) {
        throw new AppError('not-found', `There is no entry ${leafIndex} in the first ${within}.`);
      }
      return tree.inclusionProof(leafIndex, within);
    },
    consistencyProof: (fromSize, toSize) =>
      tree.consistencyProof(Math.min(checked(fromSize), checked(toSize)), checked(toSize)),
  };
}

async function readEntry(
  context: VaultContext,
  file: FileHandle,
  index: LogIndex,
  leafIndex: number,
): Promise<AccessEntry> {
  const offset = index.offset(leafIndex);
  const next = leafIndex + 1 < index.tree.size ? index.offset(leafIndex + 1) - offset : undefined;
  const head = next === undefined ? await readAt(file, offset, FRAME_HEADER_BYTES) : undefined;
  const length = next ?? claimedLength(head as Uint8Array) ?? 0;
  const frame = (await readAt(file, offset, length)).subarray(0, Math.max(0, length - CHECK_BYTES));
  const leaf = index.tree.leaf(leafIndex);
  if (!equalBytes(leafHash(frame), leaf)) {
    throw new AppError(
      'damaged',
      `Entry ${leafIndex} of the access log (byte ${offset}) has changed on the disk. Run the audit.`,
    );
  }
  return { leafIndex, leafHash: leaf, frame, bytes: await openFrame(context, frame) };
}

/** undefined when an erasure destroyed the patient's audit key; throws AppError `damaged` when the key is there and does not fit, or was taken away. */
export async function openFrame(context: VaultContext, frame: Uint8Array): Promise<Uint8Array | undefined> {
  if (frame.length < FRAME_HEADER_BYTES)
    throw new AppError('damaged', 'An entry of the access log is cut short. Run the audit.');
  const header = frame.subarray(0, FRAME_HEADER_BYTES);
  const key = await auditKey(context, Number(new DataView(frame.buffer, frame.byteOffset).getBigUint64(24)));
  if (key === undefined) return undefined;
  const bytes = openBox(key, frame.subarray(FRAME_HEADER_BYTES), header);
  if (bytes === undefined)
    throw new AppError('damaged', 'An entry of the access log does not open. Run the audit.');
  return bytes;
}

async function auditKey(context: VaultContext, keyId: number): Promise<Uint8Array | undefined> {
  const { reader } = context.store;
  const owner = await context.keys.byId(reader, keyId).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'erased') return undefined;
    throw error;
  });
  if (owner?.key !== undefined) return owner.key;
  if (owner === undefined && (await isDestroyed(context, reader, keyId))) return undefined;
  throw new AppError(
    'damaged',
    'The key of an entry of the access log is missing, and no erasure destroyed it. Run the audit.',
  );
}
