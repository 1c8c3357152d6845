/** A chain of four organisations, whose validators sign with keys that are here. */
import { type ReceiptHead, VALIDATORS_ROW } from '../../src/client/index.ts';
import { actor, TestChain } from '../../src/contracts/testing/test-chain.ts';
import {
  type ChainPlan,
  consortiumGenesis,
  founders,
  makeChain,
} from '../../src/ledger/consensus/testing/consortium-chain.ts';
import type { SigningValidator } from '../../src/ledger/consensus/testing/light-chain.ts';
import { appHash, encodeBlockHeader, encodeLightBlock, type LightBlock } from '../../src/ledger/index.ts';
import { ProofChain } from './proof-chain.ts';

export const FOUNDERS: readonly SigningValidator[] = founders(4);
const HOSPITAL = actor(2);

/** A chain that begins with four validators; the first organisation is the hospital of the tests. */
export function consortiumChain(): ProofChain {
  const { validators, organisationKeys } = consortiumGenesis(FOUNDERS);
  const others = organisationKeys.slice(1);
  return new ConsortiumChain(
    new TestChain({ validators, organisationKeys: [HOSPITAL.publicKey, ...others] }),
  );
}

class ConsortiumChain extends ProofChain {
  override head(): ReceiptHead {
    return consortiumHead(this);
  }
}

export type HeadPlan = Partial<Pick<ChainPlan, 'validatorsAt' | 'vote' | 'dataHash'>> & {
  /** The block of the consensus engine whose header carries the head. */
  readonly height?: number;
  /** The heights of the blocks that lead to it; none but itself unless said otherwise. */
  readonly by?: readonly number[];
};

/** The blocks of the consensus engine, of which the last carries the head of the ledger. */
export function consensusBlocks({ chain }: ProofChain, plan: HeadPlan = {}): readonly LightBlock[] {
  const { validatorsAt = () => FOUNDERS, height = 5, vote, dataHash } = plan;
  const { log, tree, genesis } = chain;
  const head = { height: chain.height, logSize: log.size, logRoot: log.root(), stateRoot: tree.root };
  return makeChain({
    genesis,
    validatorsAt,
    length: height,
    timeMsAt: (at) => chain.timeMs + (at - height + 1) * 10,
    ...(vote === undefined ? {} : { vote }),
    ...(dataHash === undefined ? {} : { dataHash }),
    appHashAt: (at) => (at === height ? appHash(head) : new Uint8Array(32)),
  });
}

/** The head of the chain with what its validators signed. */
export function consortiumHead(chain: ProofChain, plan: HeadPlan = {}): Required<ReceiptHead> {
  const blocks = consensusBlocks(chain, plan);
  const heights = [...(plan.by ?? []), blocks.length];
  const before = blocks.at(-2);
  return {
    genesis: chain.genesis,
    checkpoint: chain.checkpoint(),
    consensus: {
      blockBefore: before === undefined ? null : encodeBlockHeader(before.header),
      blocks: heights.map((height) => encodeLightBlock(blocks[height - 1] as LightBlock)),
      validators: chain.evidence(VALIDATORS_ROW),
    },
  };
}
