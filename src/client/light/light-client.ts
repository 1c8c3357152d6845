import {
  chainIdOf,
  type Genesis,
  headerHash,
  isExpired,
  isRealFork,
  type LightBlock,
  type TrustedBlock,
  type TrustLimits,
  trustConsortium,
  type VerifiedBlock,
  verifyHandedOver,
  verifyNext,
  verifySelf,
} from '../../ledger/index.ts';
import { AppError, AssertionError, equalBytes } from '../../shared/index.ts';
import { type VerifyStep, verifyByHalving } from './bisection.ts';
import { type Comparison, compareSources } from './compare-sources.ts';
import { forkError } from './fork-evidence.ts';
import { blockAt, type Liar, type LightSource, SourceLied } from './light-source.ts';
import { provable } from './provable-fork.ts';

/** Shorter than the time for which CometBFT takes evidence would be needless; longer, and who left could sign anything. */
const DEFAULT_TRUSTING_PERIOD_MS = 7 * 24 * 3_600_000;
const DEFAULT_CLOCK_DRIFT_MS = 10_000;
const MAX_SOURCES = 32;

/** Where the last verified block of each chain is kept. `save` throws `forked-head` for one that is older or contradicts. */
export type TrustedHeads = {
  load(chainId: Uint8Array): Promise<LightBlock | undefined>;
  save(chainId: Uint8Array, block: LightBlock): Promise<void>;
};

export type LightClientOptions = {
  /** Pinned: its hash is the chain id, and its validators are where trust begins. */
  readonly genesis: Genesis;
  /** The first that does not lie is followed; all others are compared with it. */
  readonly sources: readonly LightSource[];
  readonly heads?: TrustedHeads;
  /** A recent block, told by somebody who is trusted, for whom the genesis is too old to begin at. */
  readonly anchor?: { readonly height: number; readonly hash: Uint8Array };
  readonly trustingPeriodMs?: number;
  /** Every step by more than two thirds of the validators before it, as in a receipt: then no clock says how old the beginning may be. */
  readonly byHandOver?: boolean;
  readonly maxClockDriftMs?: number;
  readonly now: () => number;
};

/** A verified head, and what the sources had to do with it. */
export type LightHead = {
  readonly head: VerifiedBlock;
  /** The blocks by which it was verified from what was trusted before, itself the last; none where it is that. */
  readonly trace: readonly VerifiedBlock[];
  /** Whose blocks were followed. */
  readonly followed: string;
  /** Who gave the same blocks. */
  readonly agreeing: readonly string[];
  readonly silent: readonly string[];
  /** Whose answers cannot be true. */
  readonly liars: readonly Liar[];
};

export type LightClient = {
  /**
   * Verifies a block, the newest unless its height is given, and pins it. Throws AppError `forked-head` where validators signed two
   * blocks of one height (`cause` is the ForkFound) or the pinned block is contradicted, `behind` where every source is behind it,
   * `proof-refused` where none proves it.
   */
  verify(height?: number): Promise<LightHead>;
};

/** A client that follows a consortium by its validators' signatures and holds its sources against each other. */
export function createLightClient(options: LightClientOptions): LightClient {
  const { sources } = options;
  if (sources.length === 0 || sources.length > MAX_SOURCES)
    throw new AppError('usage', `Name 1 to ${MAX_SOURCES} sources of blocks.`);
  if (new Set(sources.map(({ name }) => name)).size !== sources.length)
    throw new AppError('usage', 'Each source of blocks needs a name of its own.');
  let last: Promise<unknown> = Promise.resolve();
  return {
    verify(height) {
      const turn = last.then(() => verifyHead(options, height ?? 'newest'));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

async function verifyHead(options: LightClientOptions, height: number | 'newest'): Promise<LightHead> {
  const limits = limitsOf(options);
  const start = await startOf(options, limits);
  if (height !== 'newest' && height < start.trusted.height) throw alreadyPast(start.trusted);
  const verify: VerifyStep =
    options.byHandOver === true ? verifyHandedOver : (trusted, block) => verifyNext(trusted, block, limits);
  const liars: Liar[] = [...start.liars];
  const silent: string[] = [];
  let isBehind = false;
  for (const source of options.sources) {
    if (liars.some((liar) => liar.source === source.name)) continue;
    const answer = await follow(source, start.trusted, height, verify);
    if (answer.kind === 'lied') liars.push(answer.liar);
    if (answer.kind === 'silent') silent.push(source.name);
    if (answer.kind === 'behind') isBehind = true;
    if (answer.kind !== 'proved') continue;
    const known = new Set([source.name, ...liars.map((liar) => liar.source)]);
    const others = options.sources.filter(({ name }) => !known.has(name));
    const trace = answer.trace.length > 0 || start.block === undefined ? answer.trace : [start.block];
    const compared = await compareSources(start.trusted, trace, source.name, others, verify);
    const [fork] = compared.forks;
    if (fork !== undefined)
      throw forkError(options.genesis, await provable(options.genesis, fork, options.sources));
    if (options.sources.length > 1) refuseAlone(compared, liars);
    const head = answer.trace.at(-1) ?? start.block;
    if (head === undefined) throw nothingProven([], silent);
    await options.heads?.save(chainIdOf(options.genesis), head.block);
    const { agreeing } = compared;
    return {
      head,
      trace: answer.trace,
      followed: source.name,
      agreeing,
      silent: compared.silent,
      liars: [...liars, ...compared.liars],
    };
  }
  throw isBehind ? allBehind(start.trusted) : nothingProven(liars, silent);
}

type Followed =
  | { readonly kind: 'proved'; readonly trace: readonly VerifiedBlock[] }
  | { readonly kind: 'lied'; readonly liar: Liar }
  | { readonly kind: 'silent' | 'behind' };

async function follow(
  source: LightSource,
  trusted: TrustedBlock,
  height: number | 'newest',
  verify: VerifyStep,
): Promise<Followed> {
  try {
    const target = height === 'newest' ? await source.lightBlock(height) : await blockAt(source, height);
    if (target === undefined || target.header.height < trusted.height) return { kind: 'behind' };
    if (target.header.height > trusted.height)
      return { kind: 'proved', trace: await verifyByHalving(trusted, target, source, verify) };
    if (trusted.hash === undefined || !equalBytes(headerHash(target.header), trusted.hash))
      throw new SourceLied({ source: source.name, height: trusted.height, reason: 'not-on-this-chain' });
    return { kind: 'proved', trace: [] };
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return error instanceof SourceLied ? { kind: 'lied', liar: error.liar } : { kind: 'silent' };
  }
}

type Start = {
  readonly trusted: TrustedBlock;
  /** The pinned block; undefined at the genesis. */
  readonly block: VerifiedBlock | undefined;
  readonly liars: readonly Liar[];
};

/** The pinned block if there is one, then the anchor, then the genesis. */
async function startOf(options: LightClientOptions, limits: TrustLimits): Promise<Start> {
  const { genesis, heads, anchor } = options;
  const beginning = trustConsortium(genesis);
  if (!beginning.ok)
    throw new AppError('usage', 'This genesis has no validators: its operator signs the heads.');
  const pinned = await heads?.load(chainIdOf(genesis));
  if (pinned !== undefined) {
    const self = verifySelf(pinned, beginning.value.chainName);
    if (!self.ok)
      throw new AppError('damaged', 'The pinned block is damaged. Restore its file, or remove it.');
    if (!isExpired(self.value.trusted, limits)) return comparedStart(options, self.value);
  }
  if (anchor !== undefined) return comparedStart(options, await anchored(options, beginning.value.chainName));
  if (pinned === undefined && !isExpired(beginning.value, limits))
    return { trusted: beginning.value, block: undefined, liars: [] };
  throw new AppError(
    'proof-refused',
    `${pinned === undefined ? 'The genesis' : 'The block verified last'} is older than the trusting period: validators who left since could sign anything. ` +
      'Ask somebody whom you trust for the height and hash of a recent block, and name it as the anchor.',
  );
}

async function anchored({ sources, anchor }: LightClientOptions, chainName: string): Promise<VerifiedBlock> {
  for (const source of anchor === undefined ? [] : sources) {
    const block = await source.lightBlock(anchor?.height ?? 0).catch(() => undefined);
    if (block === undefined || !equalBytes(headerHash(block.header), anchor?.hash ?? new Uint8Array()))
      continue;
    const self = verifySelf(block, chainName);
    if (self.ok) return self.value;
  }
  throw new AppError('proof-refused', 'No source has the block that was named as the anchor.');
}

/** A source that has another block in the place of the trusted one is on a fork, or made it up: which hides no fork of another source. */
async function comparedStart(options: LightClientOptions, start: VerifiedBlock): Promise<Start> {
  const { trusted } = start;
  const compared = await compareSources(trusted, [start], 'your pinned head', options.sources, (_, block) =>
    verifySelf(block, trusted.chainName),
  );
  const real = compared.forks.find(({ fork }) => isRealFork(fork));
  if (real !== undefined)
    throw forkError(options.genesis, await provable(options.genesis, real, options.sources));
  const made = compared.forks.map(({ sources }) => ({
    source: sources[1],
    height: trusted.height,
    reason: 'not-on-this-chain' as const,
  }));
  return { trusted, block: start, liars: [...compared.liars, ...made] };
}

function limitsOf(options: LightClientOptions): TrustLimits {
  const { byHandOver, trustingPeriodMs = DEFAULT_TRUSTING_PERIOD_MS } = options;
  return {
    nowMs: options.now(),
    trustingPeriodMs: byHandOver === true ? Number.MAX_SAFE_INTEGER : trustingPeriodMs,
    maxClockDriftMs: options.maxClockDriftMs ?? DEFAULT_CLOCK_DRIFT_MS,
  };
}

/** Where several sources were named, two at least have to say the same; a liar among the others is no reason to stop. */
function refuseAlone(compared: Comparison, liars: readonly Liar[]): void {
  if (compared.agreeing.length > 0) return;
  throw nothingProven([...liars, ...compared.liars], compared.silent);
}

function alreadyPast({ height }: TrustedBlock): AppError {
  return new AppError(
    'invalid-request',
    `You have verified block ${height} before. Ask for it or for a later one.`,
  );
}

function allBehind({ height }: TrustedBlock): AppError {
  return new AppError(
    'behind',
    `Every source is behind block ${height}, which you have verified before, or has not the block that was asked for. Ask again later, or ask others.`,
  );
}

function nothingProven(liars: readonly Liar[], silent: readonly string[]): AppError {
  const lied = liars.map(({ source, height, reason }) =>
    // Whose clock is wrong does not show; where it is this one, nobody lied.
    reason === 'from-the-future'
      ? `block ${height} of ${source} is from the future, by the clock of this machine: is it right?`
      : `${source} lied about block ${height} (${reason})`,
  );
  const mute = silent.map((name) => `${name} did not answer`);
  return new AppError(
    'proof-refused',
    `No block was verified that another source has too: ${[...lied, ...mute].join('; ') || 'no source has it'}.`,
    { cause: liars },
  );
}
