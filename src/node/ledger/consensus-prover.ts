import { type ConsensusProof, isWithinProofLimits, type LightSource, rpcSource } from '../../client/index.ts';
import { consensusHeightOf } from '../../engine/index.ts';
import {
  encodeBlockHeader,
  encodeLightBlock,
  type Genesis,
  isBlockBefore,
  type LightBlock,
  trustConsortium,
  type VerifiedBlock,
} from '../../ledger/index.ts';
import { AppError, assert } from '../../shared/index.ts';
import type { KeptChain } from '../network/state-sync.ts';
import { createHandedOverChain } from './handed-over-chain.ts';

const POLL_MS = 50;
/** A block that changes the ledger is followed at once by the one that carries what it led to. */
const PATIENCE_MS = 15_000;
const RPC_TIMEOUT_MS = 5000;
const MAX_ANSWER_BYTES = 8 << 20;
const MAX_CACHED = 16;
const MAX_REMEMBERED = 256;

/** What the validators signed about this node's heads, as receipts carry it. */
export interface ConsensusProver {
  /** Of a head of this node, by its note; waits for the block that carries it. */
  proofOf(note: string): Promise<Omit<ConsensusProof, 'validators'>>;
  /** The blocks of this node's consensus engine. */
  readonly blocks: LightSource;
}

type Proof = Omit<ConsensusProof, 'validators'>;

/** Proves heads with the blocks that this node's CometBFT has; and where it joined by state sync, with those it kept of before. */
export function createConsensusProver(
  genesis: Genesis,
  rpcUrl: string,
  chainBefore?: KeptChain,
): ConsensusProver {
  const beginning = trustConsortium(genesis);
  assert(beginning.ok, 'a consortium has validators');
  const blocks = remembering(rpcSource('this node', (path) => askRpc(rpcUrl, path)));
  const reachable = withOthers(blocks, chainBefore?.sources ?? []);
  const cached = new Map<number, Promise<Proof>>();
  const handedOver = createHandedOverChain(beginning.value, reachable, chainBefore);

  const prove = async (height: number): Promise<Proof> => {
    const target = await blockWhenThere(blocks, height + 1);
    const before = height === 0 ? undefined : await blockWhenThere(reachable, height);
    const chain = await handedOver.to(target).catch(unproven);
    const isProven = before === undefined || isBlockBefore(chain.at(-1) as VerifiedBlock, before.header);
    if (!isProven) throw unproven(undefined);
    const encoded = chain.map(({ block }) => encodeLightBlock(block));
    if (!isWithinProofLimits(encoded)) throw tooLong();
    return {
      blockBefore: before === undefined ? null : encodeBlockHeader(before.header),
      blocks: encoded,
    };
  };

  return {
    blocks,
    proofOf(note) {
      const height = consensusHeightOf(note);
      if (height === undefined) return Promise.reject(unproven(undefined));
      const known = cached.get(height);
      if (known !== undefined) return known;
      const proof = prove(height);
      proof.catch(() => cached.delete(height));
      if (cached.size >= MAX_CACHED) cached.delete(cached.keys().next().value ?? height);
      cached.set(height, proof);
      return proof;
    },
  };
}

/** A decided block stays what it is, so nobody makes the consensus engine work by asking for one again and again. */
function remembering(source: LightSource): LightSource {
  const known = new Map<number, LightBlock>();
  return {
    name: source.name,
    async lightBlock(height) {
      const remembered = height === 'newest' ? undefined : known.get(height);
      if (remembered !== undefined) return remembered;
      const block = await source.lightBlock(height);
      if (block === undefined) return undefined;
      if (known.size >= MAX_REMEMBERED) known.delete(known.keys().next().value ?? 0);
      known.set(block.header.height, block);
      return block;
    },
  };
}

/** Of blocks that came before this node's own ones, others are asked. What they say is verified like all else. */
function withOthers(own: LightSource, others: readonly LightSource[]): LightSource {
  return {
    name: own.name,
    async lightBlock(height) {
      const block = await own.lightBlock(height);
      if (block !== undefined || height === 'newest' || others.length === 0) return block;
      const newest = await own.lightBlock('newest');
      if (newest === undefined || height > newest.header.height) return undefined;
      for (const other of others) {
        const theirs: LightBlock | undefined = await other.lightBlock(height).catch(() => undefined);
        if (theirs?.header.height === height) return theirs;
      }
      return undefined;
    },
  };
}

async function blockWhenThere(source: LightSource, height: number): Promise<LightBlock> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const block = await source.lightBlock(height);
    if (block !== undefined) return block;
    if (performance.now() > deadline) {
      throw new AppError(
        'unavailable',
        `Block ${height} of the consensus engine, which carries the signatures, is not there yet. Is a third of the validators away? Try again in a moment.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The `result` of an RPC answer; undefined where CometBFT answers with an error, as it does for a height that it has not. */
async function askRpc(rpcUrl: string, path: string): Promise<unknown> {
  try {
    const reply = await fetch(`${rpcUrl}/${path}`, { signal: AbortSignal.timeout(RPC_TIMEOUT_MS) });
    const text = await reply.text();
    if (text.length > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
    return (JSON.parse(text) as { result?: unknown }).result;
  } catch (cause) {
    throw new AppError(
      'unavailable',
      'The consensus engine of this node does not answer. It may be starting: ask again in a moment.',
      { cause },
    );
  }
}

function unproven(cause: unknown): never {
  if (cause instanceof AppError) throw cause;
  throw new AppError(
    'unavailable',
    'This node has not the blocks that lead from the genesis to its head. Ask another organisation for the receipt.',
    { cause },
  );
}

function tooLong(): AppError {
  return new AppError(
    'unavailable',
    'The validators have changed so often since the genesis that a receipt cannot hold all that leads to this head. Follow the chain with a light client, from a head that you pinned.',
  );
}
