import { type Fork, forkOf, type LightBlock, type VerifiedBlock, verifySelf } from '../../ledger/index.ts';
import { AssertionError } from '../../shared/index.ts';
import { type VerifyStep, verifyByHalving } from './bisection.ts';
import { blockAt, isSameBlock, type Liar, type LightSource, SourceLied } from './light-source.ts';

/** Two blocks of one height that both verify from what was trusted, with the validators that signed both. */
export type ForkFound = {
  readonly sources: readonly [string, string];
  readonly fork: Fork;
  readonly blocks: readonly [LightBlock, LightBlock];
  /** From the genesis to the first of both, each handed over by the one before; undefined where no source showed them. */
  readonly path?: readonly LightBlock[];
};

export type Comparison = {
  /** Who gave the same block at every step. */
  readonly agreeing: readonly string[];
  readonly silent: readonly string[];
  readonly liars: readonly Liar[];
  /** Of each source that showed one, in their order. */
  readonly forks: readonly ForkFound[];
};

type Answer =
  | { readonly kind: 'agrees' | 'silent' }
  | { readonly kind: 'lies'; readonly liar: Liar }
  | { readonly kind: 'forks'; readonly fork: ForkFound };

/** Holds what one source proved against all others, step by step. */
export async function compareSources(
  start: VerifiedBlock['trusted'],
  trace: readonly VerifiedBlock[],
  primary: string,
  others: readonly LightSource[],
  verify: VerifyStep,
): Promise<Comparison> {
  const answers = await Promise.all(
    others.map(async (source) => ({
      name: source.name,
      answer: await answerOf(source, { start, trace, primary, verify }),
    })),
  );
  const named = (kind: Answer['kind']) =>
    answers.filter(({ answer }) => answer.kind === kind).map(({ name }) => name);
  return {
    agreeing: named('agrees'),
    silent: named('silent'),
    liars: answers.flatMap(({ answer }) => (answer.kind === 'lies' ? [answer.liar] : [])),
    forks: answers.flatMap(({ answer }) => (answer.kind === 'forks' ? [answer.fork] : [])),
  };
}

type Proven = {
  readonly start: VerifiedBlock['trusted'];
  readonly trace: readonly VerifiedBlock[];
  readonly primary: string;
  readonly verify: VerifyStep;
};

async function answerOf(source: LightSource, proven: Proven): Promise<Answer> {
  try {
    let common = proven.start;
    for (const step of proven.trace) {
      const theirs = await blockAt(source, step.trusted.height);
      if (theirs === undefined) return { kind: 'silent' };
      if (!isSameBlock(theirs, step.block)) return await conflictOf(source, theirs, step, common, proven);
      common = step.trusted;
    }
    return { kind: 'agrees' };
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return error instanceof SourceLied ? { kind: 'lies', liar: error.liar } : { kind: 'silent' };
  }
}

/** Another block proves a fork only where it verifies too, from the last block that both have; otherwise its source made it up. */
async function conflictOf(
  source: LightSource,
  theirs: LightBlock,
  ours: VerifiedBlock,
  common: VerifiedBlock['trusted'],
  { primary, verify }: Proven,
): Promise<Answer> {
  await verifyByHalving(common, theirs, source, verify);
  const fork = forkOf(ours.block, theirs, common.chainName);
  if (fork.ok) {
    const sources = [primary, source.name] as const;
    return { kind: 'forks', fork: { sources, fork: fork.value, blocks: [ours.block, theirs] } };
  }
  const self = verifySelf(theirs, common.chainName);
  const reason = self.ok ? 'wrong-block' : self.error;
  return { kind: 'lies', liar: { source: source.name, height: theirs.header.height, reason } };
}
