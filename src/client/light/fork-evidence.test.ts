import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  consortiumGenesis,
  founders,
  GENESIS_TIME_MS,
  makeChain,
} from '../../ledger/consensus/testing/consortium-chain.ts';
import {
  makeLightBlock,
  type SigningValidator,
  signingValidator,
} from '../../ledger/consensus/testing/light-chain.ts';
import { consensusChainName, type LightBlock } from '../../ledger/index.ts';
import { AppError, sha256, toHex } from '../../shared/index.ts';
import type { ForkFound } from './compare-sources.ts';
import { formatForkEvidence, verifyForkEvidence } from './fork-evidence.ts';
import { createLightClient } from './light-client.ts';

const FOUNDERS = founders(4);
const GENESIS = consortiumGenesis(FOUNDERS);
const LENGTH = 8;
const honest = makeChain({ genesis: GENESIS, validatorsAt: () => FOUNDERS, length: LENGTH });

/** What a light client finds between two histories. */
async function forkBetween(...histories: readonly (readonly LightBlock[])[]): Promise<ForkFound> {
  const sources = histories.map((blocks, at) => ({
    name: `source ${at}`,
    lightBlock: async (height: number | 'newest') => blocks[(height === 'newest' ? LENGTH : height) - 1],
  }));
  const now = (): number => GENESIS_TIME_MS + 60_000;
  const error: unknown = await createLightClient({ genesis: GENESIS, sources, now })
    .verify()
    .catch((cause: unknown) => cause);
  assert.ok(error instanceof AppError && error.code === 'forked-head', String(error));
  return error.cause as ForkFound;
}

test('no fork is made by whoever has only keys of their own', () => {
  const own = { chainName: consensusChainName(GENESIS), height: LENGTH, timeMs: GENESIS_TIME_MS + 60_000 };
  const mine = [signingValidator('mallory', 40)];
  const [first, second] = [1, 2].map((one) =>
    makeLightBlock({ ...own, validators: mine, appHash: sha256(Uint8Array.of(one)) }),
  ) as [LightBlock, LightBlock];
  const refused = (path: readonly LightBlock[], other: LightBlock): unknown => {
    const verdict = verifyForkEvidence(formatForkEvidence(GENESIS, { path, blocks: [first, other] }) ?? '');
    return verdict.ok || verdict.error;
  };
  assert.equal(refused([first], second), 'trusted-power-missing');
  assert.equal(refused([], second), 'chain-empty');
  assert.equal(refused([honest[LENGTH - 1] as LightBlock], first), 'not-by-its-validators');
});

test('a fork by a third of the validators with strangers is proven too, and names nobody who signed once', async () => {
  const [turncoat, other] = FOUNDERS as [SigningValidator, SigningValidator];
  const set = [turncoat, other, signingValidator('stranger', 40)];
  const lunatic = makeChain({ genesis: GENESIS, validatorsAt: () => set, length: LENGTH });
  const abstains = makeChain({
    genesis: GENESIS,
    validatorsAt: () => FOUNDERS,
    length: LENGTH,
    vote: (_, __, { publicKey }) => (toHex(publicKey) === toHex(other.publicKey) ? 'absent' : 'commit'),
  });
  const found = await forkBetween(abstains, lunatic);
  const verdict = verifyForkEvidence(formatForkEvidence(GENESIS, found) ?? '');
  assert.ok(verdict.ok);
  const { kind, signedBoth, conflictingPower } = verdict.value.fork;
  assert.deepEqual([kind, signedBoth.length, conflictingPower], ['lunatic', 1, 20]);
  assert.match(verdict.value.statements.join('\n'), /20 of 40 is under the second/);
});
