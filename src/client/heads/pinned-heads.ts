import { type Checkpoint, parseCheckpoint, parseNote } from '../../ledger/index.ts';
import { AppError, equalBytes, fromUtf8, toHex, verifyConsistency } from '../../shared/index.ts';
import { readIfThere, replacePrivate } from '../private-file.ts';
import { openSealedJson, sealJson } from '../sealed-json.ts';

const FORMAT = 'careledger-heads/v1';
const MAX_FILE_BYTES = 1 << 20;
const MAX_PINS = 256;

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
  /**
   * Takes the chain that a node serves if it is the one that it served before, and remembers it; `isWanted` where the caller knows
   * that it is the right one. Throws AppError `wrong-genesis` for a node whose chain was replaced.
   */
  acceptChain(node: string, chainId: Uint8Array, isWanted: boolean): Promise<void>;
};

/** What the file keeps: the head of each chain, and which chain each node serves, by its address. */
type Pins = { readonly heads: Map<string, string>; readonly nodes: Map<string, string> };

/** Heads pinned in a file, so that a client that comes back notices a ledger that went back or was replaced. */
export function openPinnedHeads(file: string): PinnedHeads {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    accept: (note, consistency) => inTurn(() => acceptHead(file, note, consistency)),
    acceptChain: (node, chainId, isWanted) => inTurn(() => acceptChain(file, node, toHex(chainId), isWanted)),
    pinned: async (chainId) => (await readPins(file)).heads.get(toHex(chainId)),
  };
}

async function acceptHead(file: string, note: string, consistency: FetchConsistency): Promise<Checkpoint> {
  const pins = await readPins(file);
  const offered = checkpointOf(note);
  const chain = toHex(offered.chainId);
  const pinned = pins.heads.get(chain);
  if (pinned === note) return offered;
  if (pinned !== undefined) await checkContinues({ pinned, offered: note }, consistency);
  pins.heads.set(chain, note);
  await savePins(file, pins);
  return offered;
}

async function acceptChain(file: string, node: string, chain: string, isWanted: boolean): Promise<void> {
  const pins = await readPins(file);
  const before = pins.nodes.get(node);
  if (before === chain) return;
  if (before !== undefined && !isWanted)
    throw new AppError(
      'wrong-genesis',
      `The node at ${node} served the chain ${before} until now, and serves ${chain}: its ledger was replaced. ` +
        'Ask its organisation why. If you know that this is right, name the new chain once with CARELEDGER_CHAIN.',
    );
  pins.nodes.set(node, chain);
  await savePins(file, pins);
}

async function savePins(file: string, { heads, nodes }: Pins): Promise<void> {
  if (heads.size > MAX_PINS || nodes.size > MAX_PINS)
    throw new AppError(
      'too-many',
      `The file ${file} pins ${MAX_PINS} chains or nodes already. Begin a new one, and keep this one.`,
    );
  const members = { heads: Object.fromEntries(heads), nodes: Object.fromEntries(nodes) };
  await replacePrivate(file, sealJson({ format: FORMAT, ...members }));
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
async function readPins(file: string): Promise<Pins> {
  const bytes = await readIfThere(file);
  if (bytes === undefined) return { heads: new Map(), nodes: new Map() };
  const pins = bytes.length > MAX_FILE_BYTES ? undefined : parsePins(fromUtf8(bytes) ?? '');
  if (pins !== undefined) return pins;
  throw new AppError(
    'damaged',
    `The file of pinned heads ${file} is damaged. Restore it, or remove it if you accept that older heads go unnoticed once.`,
  );
}

function parsePins(text: string): Pins | undefined {
  const opened = openSealedJson(text, MAX_FILE_BYTES);
  if (!opened.ok || opened.value.format !== FORMAT) return undefined;
  const [heads, nodes] = [textsOf(opened.value.heads), textsOf(opened.value.nodes)];
  if (heads === undefined || nodes === undefined) return undefined;
  const isWhole =
    [...heads].every(([chain, note]) => chainOf(note) === chain) &&
    [...nodes.values()].every((chain) => /^[0-9a-f]{64}$/.test(chain));
  return isWhole ? { heads, nodes } : undefined;
}

function textsOf(value: unknown): Map<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const entries = Object.entries(value);
  return entries.every(([, text]) => typeof text === 'string') ? new Map(entries) : undefined;
}

function chainOf(note: string): string | undefined {
  const parsed = parseNote(note);
  const checkpoint = parsed.ok ? parseCheckpoint(parsed.value.text) : parsed;
  return checkpoint.ok ? toHex(checkpoint.value.chainId) : undefined;
}
