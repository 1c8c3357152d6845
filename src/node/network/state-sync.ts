import {
  createLightClient,
  formatChainFile,
  type LightSource,
  nodeSourceAt,
  openChainFile,
} from '../../client/index.ts';
import type { Genesis, LightBlock, VerifiedBlock } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import { readFileIfThere, writePrivateFile } from '../folder/files.ts';
import type { DataFolder } from '../folder/layout.ts';

/** Where a node lets those who join ask its consensus engine for headers, commits and validators. */
export const CONSENSUS_PATH = '/ledger/consensus';
/** One alone could show a chain of its own making to whoever joins. */
const MIN_NODES = 2;
const MAX_NODES = 16;
/** CometBFT trusts a block for a week; some of it is left for the node to be started. */
const TRUST_PERIOD_HOURS = 168;
const MAX_AGE_MS = (TRUST_PERIOD_HOURS - 24) * 3_600_000;
const MEMBERS_FORMAT = 'careledger-state-sync/v1';

/** From which block a node takes the ledger over, and how that block was proven. */
export interface StateSyncStart {
  /** The nodes of members that were asked, and gave the same blocks. */
  readonly members: readonly string[];
  /** The blocks that lead from the genesis to it, itself the last. */
  readonly blocks: readonly LightBlock[];
  readonly height: number;
  readonly hash: string;
}

/**
 * The newest block that two members' nodes have alike, proven from the genesis of the network file step by step by its validators.
 * No node is believed: one that lies, or alone says something, is refused.
 */
export async function proveStateSyncStart(
  genesis: Genesis,
  urls: readonly string[],
  nowMs: number,
): Promise<StateSyncStart> {
  const members = [...new Set(urls.map(memberUrl))];
  if (members.length < MIN_NODES || members.length > MAX_NODES)
    throw new AppError(
      'usage',
      `Name the nodes of ${MIN_NODES} to ${MAX_NODES} members with --node, each another organisation's.`,
    );
  const sources = members.map((url) => nodeSourceAt(url));
  const { head, trace, followed, agreeing, liars } = await createLightClient({
    genesis,
    sources,
    byHandOver: true,
    now: () => nowMs,
  }).verify();
  const [liar] = liars;
  if (liar !== undefined)
    throw new AppError(
      'proof-refused',
      `${liar.source} lied about block ${liar.height} (${liar.reason}). Tell its organisation, and join by others' nodes.`,
    );
  refuseOld(head, nowMs);
  return {
    members: [followed, ...agreeing],
    blocks: trace.map(({ block }) => block),
    height: head.trusted.height,
    hash: toHex(head.block.commit.blockId.hash).toUpperCase(),
  };
}

/** CometBFT's own settings for it; every member that agreed is asked again, so that none alone is believed. */
export function stateSyncSettings({ members, height, hash }: StateSyncStart): Record<string, string> {
  const servers = members.map((url) => `${url}${CONSENSUS_PATH}`);
  return {
    'statesync.enable': 'true',
    'statesync.rpc_servers': JSON.stringify(servers.join(',')),
    'statesync.trust_height': String(height),
    'statesync.trust_hash': JSON.stringify(hash),
    'statesync.trust_period': JSON.stringify(`${TRUST_PERIOD_HOURS}h0m0s`),
    'statesync.discovery_time': JSON.stringify('5s'),
  };
}

/** What a node that joined so has to keep: whom it may ask, and the blocks before its own ones that its receipts need. */
export interface KeptChain {
  readonly sources: readonly LightSource[];
  readonly blocks: readonly VerifiedBlock[];
  /** Keeps these instead of the ones before. */
  keep(blocks: readonly VerifiedBlock[]): void;
}

export function writeKeptChain(
  folder: DataFolder,
  genesis: Genesis,
  { members, blocks }: Pick<StateSyncStart, 'members' | 'blocks'>,
): void {
  writePrivateFile(folder.chain, formatChainFile(genesis, blocks));
  writePrivateFile(folder.chainMembers, `${JSON.stringify({ format: MEMBERS_FORMAT, members }, null, 1)}\n`);
}

/** What was kept when this node joined; undefined where it has all blocks itself. */
export function readKeptChain(folder: DataFolder, genesis: Genesis): KeptChain | undefined {
  const text = readFileIfThere(folder.chain)?.toString('utf8');
  if (text === undefined) return undefined;
  const blocks = openChainFile(genesis, text);
  if (blocks === undefined) throw damaged(folder.chain);
  return {
    sources: readMembers(folder).map((url) => nodeSourceAt(url)),
    blocks,
    keep: (more) =>
      writePrivateFile(
        folder.chain,
        formatChainFile(
          genesis,
          more.map(({ block }) => block),
        ),
      ),
  };
}

function readMembers(folder: DataFolder): readonly string[] {
  try {
    const text = readFileIfThere(folder.chainMembers)?.toString('utf8') ?? '';
    const { format, members } = JSON.parse(text) as { format?: unknown; members?: unknown };
    if (format === MEMBERS_FORMAT && Array.isArray(members))
      return members.map((url) => memberUrl(String(url)));
  } catch {
    // Said below.
  }
  throw damaged(folder.chainMembers);
}

function memberUrl(text: string): string {
  const url = URL.parse(text);
  const isPlain = url !== null && url.username === '' && url.search === '' && url.hash === '';
  if (isPlain && (url.protocol === 'https:' || url.protocol === 'http:')) return url.href.replace(/\/+$/, '');
  throw new AppError('usage', `${text} is not the address of a node: write https://node.example.`);
}

/** CometBFT would take such a block for too old to begin with. */
function refuseOld({ trusted }: VerifiedBlock, nowMs: number): void {
  if (Number(trusted.timeNs / 1_000_000n) + MAX_AGE_MS > nowMs) return;
  throw new AppError(
    'behind',
    `The newest block, ${trusted.height}, is older than ${TRUST_PERIOD_HOURS / 24 - 1} days, too old to begin with. Let a member record something, and join again.`,
  );
}

function damaged(path: string): AppError {
  return new AppError(
    'damaged',
    `${path} is damaged: it proves what came before this node joined. Restore it from a backup.`,
  );
}
