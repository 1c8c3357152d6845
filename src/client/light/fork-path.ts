import {
  forkOf,
  type Genesis,
  type LightBlock,
  trustConsortium,
  verifyHandedOver,
} from '../../ledger/index.ts';
import { AssertionError } from '../../shared/index.ts';
import { verifyByHalving } from './bisection.ts';
import type { ForkFound } from './compare-sources.ts';
import type { LightSource } from './light-source.ts';

/**
 * Adds the blocks that lead from the genesis to one of both by hand-over, so that anybody can see whose validators signed; that block
 * comes first. Unchanged where no source shows them, as where they were pruned.
 */
export async function withPath(
  genesis: Genesis,
  found: ForkFound,
  sources: readonly LightSource[],
): Promise<ForkFound> {
  for (const fork of [found, turned(found)]) {
    const path = fork && (await pathTo(genesis, fork.blocks[0], sources));
    if (fork !== undefined && path !== undefined) return { ...fork, path };
  }
  return found;
}

/** The same fork, told from the other side. */
function turned({ sources, blocks, fork }: ForkFound): ForkFound | undefined {
  const [first, second] = blocks;
  const other = forkOf(second, first, first.header.chainName);
  if (!other.ok || fork.height !== other.value.height) return undefined;
  return { sources: [sources[1], sources[0]], blocks: [second, first], fork: other.value };
}

async function pathTo(
  genesis: Genesis,
  block: LightBlock,
  sources: readonly LightSource[],
): Promise<readonly LightBlock[] | undefined> {
  const beginning = trustConsortium(genesis);
  if (!beginning.ok) return undefined;
  for (const source of sources) {
    try {
      const trace = await verifyByHalving(beginning.value, block, source, verifyHandedOver);
      return trace.map((step) => step.block);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
    }
  }
  return undefined;
}
