import {
  forkOf,
  type Genesis,
  isRealFork,
  type LightBlock,
  trustConsortium,
  verifyHandedOver,
} from '../../ledger/index.ts';
import { AssertionError } from '../../shared/index.ts';
import { verifyByHalving } from './bisection.ts';
import type { ForkFound } from './compare-sources.ts';
import { fewestSteps } from './fewest-steps.ts';
import { blockAt, isSameBlock, type LightSource, SourceLied } from './light-source.ts';

/**
 * Makes of a fork what anybody can check: the first height at which both sources differ, since there both blocks have the validators
 * that the block before names; and the blocks that lead from the genesis to one of both by hand-over, which is then told first.
 * Without a path where no source shows one, as where blocks were pruned.
 */
export async function provable(
  genesis: Genesis,
  found: ForkFound,
  sources: readonly LightSource[],
): Promise<ForkFound> {
  const first = (await beginning(found, sources)) ?? found;
  for (const fork of [first, turned(first)]) {
    const path = fork && (await pathTo(genesis, fork.blocks[0], sources));
    if (fork !== undefined && path !== undefined) return { ...fork, path };
  }
  return first;
}

/** The fork where it began; undefined where the sources do not show that. */
async function beginning(found: ForkFound, sources: readonly LightSource[]): Promise<ForkFound | undefined> {
  const [one, two] = found.sources.map((name) => sources.find((source) => source.name === name));
  if (one === undefined || two === undefined) return undefined;
  try {
    const blocks = await firstDifference(one, two, found.blocks);
    const fork = forkOf(...blocks, found.blocks[0].header.chainName);
    return fork.ok && isRealFork(fork.value) ? { ...found, blocks, fork: fork.value } : undefined;
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return undefined;
  }
}

async function firstDifference(
  one: LightSource,
  two: LightSource,
  known: ForkFound['blocks'],
): Promise<ForkFound['blocks']> {
  let differing = known;
  let same = 0;
  while (differing[0].header.height - same > 1) {
    const height = same + Math.floor((differing[0].header.height - same) / 2);
    const [left, right] = await Promise.all([blockAt(one, height), blockAt(two, height)]);
    if (left === undefined || right === undefined)
      throw new SourceLied({ source: (left === undefined ? one : two).name, height, reason: 'wrong-height' });
    if (isSameBlock(left, right)) same = height;
    else differing = [left, right];
  }
  return differing;
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
  const trusted = trustConsortium(genesis);
  if (!trusted.ok) return undefined;
  for (const source of sources) {
    try {
      const trace = await verifyByHalving(trusted.value, block, source, verifyHandedOver);
      return fewestSteps(trusted.value, trace).map((step) => step.block);
    } catch (error) {
      if (error instanceof AssertionError) throw error;
    }
  }
  return undefined;
}
