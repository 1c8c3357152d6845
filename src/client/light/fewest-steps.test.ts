import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { consortiumGenesis, founders, makeChain } from '../../ledger/consensus/testing/consortium-chain.ts';
import { type SigningValidator, signingValidator } from '../../ledger/consensus/testing/light-chain.ts';
import { type LightBlock, trustConsortium, verifyChain, verifyHandedOver } from '../../ledger/index.ts';
import { verifyByHalving } from './bisection.ts';
import { fewestSteps } from './fewest-steps.ts';
import type { LightSource } from './light-source.ts';

const LENGTH = 12;

const KEYS = Array.from({ length: 7 }, (_, place) =>
  [0, 1, 2].map((key) => signingValidator(`validator ${place} ${key}`, 10)),
);

/** Of each height whose place gets another key, or one of before again, and who does not sign there. */
const histories = fc.record({
  size: fc.integer({ min: 4, max: 7 }),
  changes: fc.array(fc.tuple(fc.nat(8), fc.nat(2)), { minLength: LENGTH + 1, maxLength: LENGTH + 1 }),
  away: fc.array(fc.nat(10), { minLength: LENGTH + 1, maxLength: LENGTH + 1 }),
});

type History = typeof histories extends fc.Arbitrary<infer T> ? T : never;

function chainOf({ size, changes, away }: History) {
  const sets: SigningValidator[][] = [[...founders(size)], [...founders(size)]];
  for (const [place, key] of changes) {
    const next = [...(sets.at(-1) as SigningValidator[])];
    if (place < size) next[place] = KEYS[place]?.[key] as SigningValidator;
    sets.push(next);
  }
  const genesis = consortiumGenesis(founders(size));
  const blocks = makeChain({
    genesis,
    length: LENGTH,
    validatorsAt: (height) => sets[height] as SigningValidator[],
    vote: (height, place) => (place === away[height] ? 'absent' : 'commit'),
  });
  const beginning = trustConsortium(genesis);
  assert(beginning.ok);
  return { blocks, beginning: beginning.value };
}

test('whatever the validators were, what is left verifies from the genesis, ends at the same block, and no step of it can be left out', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const { blocks, beginning } = chainOf(history);
      const lightBlock: LightSource['lightBlock'] = async (height) => blocks[Number(height) - 1];
      const last = blocks.at(-1) as LightBlock;
      const trace = await verifyByHalving(beginning, last, { name: 'a', lightBlock }, verifyHandedOver);
      const path = fewestSteps(beginning, trace);
      const verified = verifyChain(
        beginning,
        path.map(({ block }) => block),
      );
      assert(verified.ok);
      assert.equal(verified.value.block, last);
      assert(path.every((step) => trace.includes(step)));
      const grounds = [beginning, ...path.map(({ trusted }) => trusted)];
      for (const [index, later] of path.slice(1).entries())
        assert.equal(verifyHandedOver(grounds[index] as typeof beginning, later.block).ok, false);
    }),
    { numRuns: 12, seed: 1 },
  );
});
