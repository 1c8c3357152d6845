import { type Checkpoint, parseCheckpoint, parseNote } from '../../ledger/index.ts';
import { AppError, equalBytes, fromUtf8, toHex, verifyConsistency } from '../../shared/index.ts';
import { readIfThere, replacePrivate } from '../private-file.ts';
import { openSealedJson, sealJson } from '../sealed-json.ts';

const FORMAT = 'careledger-heads/v1';
const MAX_FILE_BYTES = 1 << 20;
const MAX_CHAINS = 256;

/** Two heads that one honest operator cannot both have signed, or an older one in place of a newer: keep it, it is evidence. */
export type HeadConflict = { readonly pinned: string; readonly offered: string };

/** Gives the RFC 9162 consistency proof between two sizes of the log. */
export type FetchConsistency = (from: number, to: number) => Promise<readonly Uint8Array[]>;

/** The last head that was seen of each chain. */
export type PinnedHeads = {
  /**
   * Takes a head whose signatures are verified already, if it is the pinned one or provably continues it, and pins it. Throws
   * AppError `forked-head` otherwise, whose `cause` is the HeadConflict.
   */
  accept(note: string, consistency: FetchConsistency): Promise<Checkpoint>;
  pinned(chainId: Uint8Array): Promise<string | undefined>;
};

/** Heads pinned in a file, so that a client that comes back notices a ledger that went back or was replaced. */
export function openPinnedHeads(file: string): PinnedHeads {
  let last: Promise<unknown> = Promise.resolve();
  return {
    accept(note, consistency) {
      const turn = last.then(() => acceptHead(file, note, consistency));
      last = turn.catch(() => undefined);
      return turn;
    },
    pinned: async (chainId) => (await readHeads(file)).get(toHex(chainId)),
  };
}

async function acceptHead(file: string, note: string, consistency: FetchConsistency): Promise<Checkpoint> {
  const heads = await readHeads(file);
  const offered = checkpointOf(note);
  const chain = toHex(offered.chainId);
  const pinned = heads.get(chain);
  if (pinned === note) return offered;
  if (pinned !== undefined) await checkContinues({ pinned, offered: note }, consistency);
  if (pinned === undefined && heads.size >= MAX_CHAINS)
    throw new AppError(
      'too-many',
      `The file ${file} pins ${MAX_CHAINS} chains already. Remove those you no longer use.`,
    );
  heads.set(chain, note);
  await replacePrivate(file, sealJson({ format: FORMAT, heads: Object.fromEntries(heads) }));
  return offered;
}

async function checkContinues(conflict: HeadConflict, consistency: FetchConsistency): Promise<void> {
  const before = checkpointOf(conflict.pinned);
  const after = checkpointOf(conflict.offered);
  if (after.logSize < before.logSize || after.height < before.height || after.timeMs < before.timeMs) {
    throw conflictError('is older than one you have seen: it went back', before, after, conflict);
  }
  if (after.height === before.height && !isSameHead(before, after))
    throw conflictError('contradicts the one you have seen of the same height', before, after, conflict);
  const proof = after.logSize === before.logSize ? [] : await consistency(before.logSize, after.logSize);
  if (verifyConsistency(before.logSize, after.logSize, proof, before.logRoot, after.logRoot)) return;
  throw conflictError('does not continue the one you have seen', before, after, conflict);
}

function isSameHead(left: Checkpoint, right: Checkpoint): boolean {
  if (left.logSize !== right.logSize || left.timeMs !== right.timeMs) return false;
  return equalBytes(left.logRoot, right.logRoot) && equalBytes(left.stateRoot, right.stateRoot);
}

function conflictError(what: string, before: Checkpoint, after: Checkpoint, cause: HeadConflict): AppError {
  const message =
    `The head of chain ${toHex(after.chainId)} that was offered (${headText(after)}) ${what} (${headText(before)}). ` +
    'Do not trust this node. Both heads are signed: keep them as evidence.';
  return new AppError('forked-head', message, { cause });
}

function headText({ height, logSize, logRoot }: Checkpoint): string {
  return `height ${height}, ${logSize} entries, root ${toHex(logRoot)}`;
}

function checkpointOf(note: string): Checkpoint {
  const parsed = parseNote(note);
  const checkpoint = parsed.ok ? parseCheckpoint(parsed.value.text) : parsed;
  if (checkpoint.ok) return checkpoint.value;
  throw new AppError('proof-refused', `The head is not a checkpoint of this ledger (${checkpoint.error}).`);
}

/** A file that is damaged is no reason to trust anything: it is an error, never an empty list. */
async function readHeads(file: string): Promise<Map<string, string>> {
  const bytes = await readIfThere(file);
  if (bytes === undefined) return new Map();
  const heads = bytes.length > MAX_FILE_BYTES ? undefined : parseHeads(fromUtf8(bytes) ?? '');
  if (heads === undefined)
    throw new AppError(
      'damaged',
      `The file of pinned heads ${file} is damaged. Restore it, or remove it if you accept that older heads go unnoticed once.`,
    );
  return heads;
}

function parseHeads(text: string): Map<string, string> | undefined {
  const opened = openSealedJson(text, MAX_FILE_BYTES);
  const heads = opened.ok && opened.value.format === FORMAT ? opened.value.heads : undefined;
  if (typeof heads !== 'object' || heads === null) return undefined;
  const entries = Object.entries(heads);
  const isWhole = entries.every(([chain, note]) => typeof note === 'string' && chainOf(note) === chain);
  return isWhole ? new Map(entries as [string, string][]) : undefined;
}

function chainOf(note: string): string | undefined {
  const parsed = parseNote(note);
  const checkpoint = parsed.ok ? parseCheckpoint(parsed.value.text) : parsed;
  return checkpoint.ok ? toHex(checkpoint.value.chainId) : undefined;
}
