import { publicKeyOf } from '../../../identity/index.ts';
import { sha256, utf8 } from '../../../shared/index.ts';
import type { Genesis } from '../../genesis.ts';
import type { CommitSignature } from '../commit.ts';
import { consensusChainName } from '../genesis-validators.ts';
import type { LightBlock } from '../light-block.ts';
import { blockIdOf, makeLightBlock, type SigningValidator, signingValidator } from './light-chain.ts';

export const GENESIS_TIME_MS = 1_700_000_000_000;
export const BLOCK_INTERVAL_MS = 1000;

/** The founders of a test's consortium: as many organisations, each with one validator. */
export function founders(count: number): readonly SigningValidator[] {
  return Array.from({ length: count }, (_, index) => signingValidator(`founder ${index}`, 10));
}

/** A genesis with a validator for each of its organisations. */
export function consortiumGenesis(validators: readonly SigningValidator[]): Genesis {
  return {
    networkName: 'consortium',
    timeMs: GENESIS_TIME_MS,
    operatorKey: publicKeyOf(sha256(utf8('nobody'))),
    organisationKeys: validators.map((_, index) => publicKeyOf(sha256(utf8(`organisation ${index}`)))),
    validators: validators.map(({ publicKey, power }, organisation) => ({
      consensusKey: publicKey,
      organisation,
      power,
    })),
  };
}

export type ChainPlan = {
  readonly genesis: Genesis;
  /** Who decides the block of a height. */
  readonly validatorsAt: (height: number) => readonly SigningValidator[];
  readonly length: number;
  /** The blocks that it continues. */
  readonly after?: readonly LightBlock[];
  readonly appHashAt?: (height: number) => Uint8Array;
  readonly dataHash?: Uint8Array;
  readonly round?: number;
  readonly timeMsAt?: (height: number) => number;
  readonly vote?: (height: number, place: number, validator: SigningValidator) => CommitSignature['vote'];
};

/** Blocks as a consortium's CometBFT would have decided them, each naming the one before it. */
export function makeChain(plan: ChainPlan): readonly LightBlock[] {
  const { genesis, validatorsAt, length, vote, round, dataHash, appHashAt } = plan;
  const blocks = [...(plan.after ?? [])];
  for (let height = blocks.length + 1; height <= length; height += 1) {
    const before = blocks.at(-1);
    blocks.push(
      makeLightBlock({
        chainName: consensusChainName(genesis),
        height,
        timeMs: plan.timeMsAt?.(height) ?? GENESIS_TIME_MS + height * BLOCK_INTERVAL_MS,
        validators: validatorsAt(height),
        nextValidators: validatorsAt(height + 1),
        ...(before === undefined ? {} : { lastBlockId: blockIdOf(before.header) }),
        ...(appHashAt === undefined ? {} : { appHash: appHashAt(height) }),
        ...(dataHash === undefined ? {} : { dataHash }),
        ...(round === undefined ? {} : { round }),
        ...(vote === undefined ? {} : { vote: (place, validator) => vote(height, place, validator) }),
      }),
    );
  }
  return blocks;
}
