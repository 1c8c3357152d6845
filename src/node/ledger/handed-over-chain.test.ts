import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWithinProofLimits, type LightSource } from '../../client/index.ts';
import { consortiumGenesis, founders } from '../../ledger/consensus/testing/consortium-chain.ts';
import {
  makeLightBlock,
  type SigningValidator,
  signingValidator,
} from '../../ledger/consensus/testing/light-chain.ts';
import { encodeLightBlock, type LightBlock, trustConsortium, verifyChain } from '../../ledger/index.ts';
import { createHandedOverChain } from './handed-over-chain.ts';

const FOUNDERS = founders(4);
const GENESIS = consortiumGenesis(FOUNDERS);
const beginning = trustConsortium(GENESIS);
assert(beginning.ok);
const { value: genesis } = beginning;
/** How often each of the four changes its key: one soon after another, and then for long nobody. */
const ROUNDS = 13;
const [BETWEEN_ROUNDS, BETWEEN_CHANGES] = [1_000_000, 10];

function validatorsAt(height: number): readonly SigningValidator[] {
  const round = Math.floor(height / BETWEEN_ROUNDS);
  const since = height % BETWEEN_ROUNDS;
  return FOUNDERS.map((founder, place) => {
    const changed = since < place * BETWEEN_CHANGES ? Math.max(0, round - 1) : round;
    return changed === 0 ? founder : withKey(`key ${changed} of ${place}`);
  });
}

const known = new Map<string, SigningValidator>();
function withKey(name: string): SigningValidator {
  const validator = known.get(name) ?? signingValidator(name, 10);
  known.set(name, validator);
  return validator;
}

/** A chain of millions of blocks, of which only those are made that somebody asks for. */
const source: LightSource = {
  name: 'a',
  lightBlock: async (height) => blockAt(Number(height)),
};

function blockAt(height: number): LightBlock {
  return makeLightBlock({
    chainName: genesis.chainName,
    height,
    timeMs: GENESIS.timeMs + height * 1000,
    validators: validatorsAt(height),
    nextValidators: validatorsAt(height + 1),
  });
}

test('a head is proven although each validator has changed its key again and again, and a restart finds the way too', async () => {
  const keeping: number[] = [];
  const running = createHandedOverChain(genesis, source, {
    blocks: [],
    keep: (blocks) => keeping.push(blocks.length),
  });
  for (let round = 1; round <= ROUNDS; round += 6) {
    const target = blockAt(round * BETWEEN_ROUNDS + 500_000);
    const path = (await running.to(target)).map(({ block }) => block);
    assert(path.length <= 4 * round + 1, `${path.length} blocks after round ${round}`);
    if (round !== 1 && round !== ROUNDS) continue;
    const verified = verifyChain(genesis, path);
    assert(verified.ok && verified.value.block === target);
    assert(isWithinProofLimits(path.map(encodeLightBlock)));
  }
  assert(keeping.every((count) => count <= 4 * ROUNDS + 1));
  const last = blockAt(ROUNDS * BETWEEN_ROUNDS + 500_000);
  const again = await createHandedOverChain(genesis, source).to(last);
  assert(again.length <= 4 * ROUNDS + 1, `${again.length} blocks after a restart`);
  const earlier = await running.to(blockAt(9 * BETWEEN_ROUNDS + 1));
  assert(earlier.length <= 4 * 9 + 1);
});
