import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  BLOCK_INTERVAL_MS,
  consortiumGenesis,
  founders,
  GENESIS_TIME_MS,
  makeChain,
} from '../../ledger/consensus/testing/consortium-chain.ts';
import { type SigningValidator, signingValidator } from '../../ledger/consensus/testing/light-chain.ts';
import {
  chainIdOf,
  headerHash,
  type LightBlock,
  trustConsortium,
  validatorSetOf,
  verifySelf,
  verifySkipping,
} from '../../ledger/index.ts';
import { AppError, sha256, toHex, utf8 } from '../../shared/index.ts';
import type { ForkFound } from './compare-sources.ts';
import { formatForkEvidence, verifyForkEvidence } from './fork-evidence.ts';
import { createLightClient, type LightClientOptions, type LightHead } from './light-client.ts';
import type { LightSource } from './light-source.ts';
import { openTrustedHeads } from './trusted-heads.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-light-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const FOUNDERS = founders(4);
const GENESIS = consortiumGenesis(FOUNDERS);
const LENGTH = 40;
const NOW_MS = GENESIS_TIME_MS + (LENGTH + 5) * BLOCK_INTERVAL_MS;
const steady = makeChain({ genesis: GENESIS, validatorsAt: () => FOUNDERS, length: LENGTH });

/** One founder after the other leaves for a newcomer, from height 10 on; by height 34 nobody of the founders is left. */
function changing(height: number): readonly SigningValidator[] {
  const gone = Math.max(0, Math.min(4, Math.floor((height - 2) / 8)));
  return [
    ...FOUNDERS.slice(gone),
    ...Array.from({ length: gone }, (_, index) => signingValidator(`newcomer ${index}`, 10)),
  ];
}
const NEWCOMERS = [0, 1, 2, 3].map((index) => signingValidator(`newcomer ${index}`, 10));
const moving = makeChain({ genesis: GENESIS, validatorsAt: changing, length: LENGTH });

type CountingSource = LightSource & { readonly asked: (number | 'newest')[] };

function sourceOf(name: string, blocks: readonly LightBlock[]): CountingSource {
  const asked: (number | 'newest')[] = [];
  const lightBlock = async (height: number | 'newest'): Promise<LightBlock | undefined> => {
    asked.push(height);
    return height === 'newest' ? blocks.at(-1) : blocks[height - 1];
  };
  return { name, asked, lightBlock };
}

function silentSource(name: string): LightSource {
  return { name, lightBlock: () => Promise.reject(new Error('no route')) };
}

function clientOf(sources: readonly LightSource[], options: Partial<LightClientOptions> = {}) {
  return createLightClient({ genesis: GENESIS, sources, now: () => NOW_MS, ...options });
}

function verify(
  sources: readonly LightSource[],
  options: Partial<LightClientOptions> = {},
  height?: number,
): Promise<LightHead> {
  return clientOf(sources, options).verify(height);
}

async function refusal(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => assert.fail('it was not refused'),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof AppError, String(error));
  return error;
}

const heightOf = ({ head }: LightHead): number => head.trusted.height;

describe('a light client', () => {
  test('skips over blocks of the same validators, and compares its sources', async () => {
    const [first, second, third] = ['a', 'b', 'c'].map((name) => sourceOf(name, steady));
    assert.ok(first && second && third);
    const head = await verify([first, second, third]);
    assert.equal(heightOf(head), LENGTH);
    assert.equal(head.followed, 'a');
    assert.deepEqual(head.agreeing, ['b', 'c']);
    assert.deepEqual([head.silent, head.liars], [[], []]);
    assert.deepEqual(first.asked, ['newest'], 'one block is enough');
    assert.deepEqual(second.asked, [LENGTH]);
  });

  test('halves the way where the validators changed, as far as it must', async () => {
    const exchanged = makeChain({
      genesis: GENESIS,
      validatorsAt: (height) => (height < 23 ? FOUNDERS : NEWCOMERS),
      length: LENGTH,
    });
    const source = sourceOf('a', exchanged);
    const head = await verify([source, sourceOf('b', exchanged)]);
    assert.equal(heightOf(head), LENGTH);
    // Nobody of the founders is left, so the last block of theirs names who decides the next one.
    assert.ok(source.asked.includes(22) && source.asked.includes(23));
    assert.ok(source.asked.length <= 8, `${source.asked.length} questions`);
  });

  test('verifies the block of a height, the first one too, and each next one from it', async () => {
    const heads = openTrustedHeads(join(folder, 'each.json'));
    const source = sourceOf('a', moving);
    for (let height = 1; height <= LENGTH; height += 1)
      assert.equal(heightOf(await verify([source], { heads }, height)), height);
  });

  test('does not take a block from beyond its clock, nor trust a start that is too old', async () => {
    const early = await refusal(verify([sourceOf('a', steady)], { now: () => NOW_MS - 16_000 }));
    assert.match(early.message, /from the future, by the clock of this machine/);
    assert.doesNotMatch(early.message, /lied/);
    const late = await refusal(verify([sourceOf('a', steady)], { trustingPeriodMs: 45_000 }));
    assert.match(late.message, /older than the trusting period/);
    assert.equal(heightOf(await verify([sourceOf('a', steady)], { trustingPeriodMs: 45_001 })), LENGTH);
  });

  test('begins at a recent block that somebody named, and at no other one', async () => {
    const options = { trustingPeriodMs: 30_000 };
    const hash = headerHash((moving[29] as LightBlock).header);
    const head = await verify([sourceOf('a', moving)], { ...options, anchor: { height: 30, hash } });
    assert.equal(heightOf(head), LENGTH);
    const other = await refusal(
      verify([sourceOf('a', moving)], { ...options, anchor: { height: 29, hash } }),
    );
    assert.match(other.message, /No source has the block/);
  });

  test('goes on where a source cannot be asked or lies, and names the liar', async () => {
    const forged = steady.map((block) => ({
      ...block,
      header: { ...block.header, appHash: new Uint8Array(32) },
    }));
    const head = await verify([
      sourceOf('liar', forged),
      silentSource('mute'),
      sourceOf('b', steady),
      sourceOf('c', steady),
    ]);
    assert.equal(head.followed, 'b');
    assert.deepEqual(head.agreeing, ['c']);
    assert.deepEqual(head.liars, [{ source: 'liar', height: LENGTH, reason: 'wrong-block' }]);
    const among = await verify([sourceOf('b', steady), sourceOf('liar', forged), sourceOf('c', steady)]);
    assert.deepEqual(among.liars, [{ source: 'liar', height: LENGTH, reason: 'wrong-block' }]);
  });

  test('names a source that answers with another height or with invented validators', async () => {
    const shifted: LightSource = {
      name: 'shifted',
      lightBlock: async (height) => steady[height === 'newest' ? LENGTH - 1 : height - 2],
    };
    const invented = makeChain({
      genesis: GENESIS,
      validatorsAt: () => [signingValidator('mallory', 1)],
      length: LENGTH,
    });
    const head = await verify([
      sourceOf('a', steady),
      sourceOf('b', steady),
      shifted,
      sourceOf('mallory', invented),
    ]);
    assert.deepEqual(
      head.liars.map(({ source, reason }) => [source, reason]),
      [
        ['shifted', 'wrong-height'],
        ['mallory', 'validators-mismatch'],
      ],
    );
  });

  test('believes nothing that no other source has, where others were named', async () => {
    const alone = await refusal(verify([sourceOf('a', steady), silentSource('b')]));
    assert.equal(alone.code, 'proof-refused');
    const left = await refusal(verify([sourceOf('liar', steady.slice(1)), sourceOf('a', steady)], {}, 5));
    assert.match(left.message, /liar lied about block 5 \(wrong-height\)/);
    const none = await refusal(verify([silentSource('a'), silentSource('b')]));
    assert.match(none.message, /a did not answer; b did not answer/);
  });

  test('takes no fewer than two thirds, and no third of validators it never trusted', async () => {
    const two = makeChain({
      genesis: GENESIS,
      validatorsAt: () => FOUNDERS,
      length: LENGTH,
      vote: (_, place) => (place < 2 ? 'commit' : 'absent'),
    });
    assert.match((await refusal(verify([sourceOf('a', two)]))).message, /power-missing/);
    const three = FOUNDERS.slice(0, 3);
    const genesisOfThree = consortiumGenesis(three);
    const exactly = makeChain({
      genesis: genesisOfThree,
      validatorsAt: () => three,
      length: LENGTH,
      vote: (_, place) => (place < 2 ? 'commit' : 'absent'),
    });
    const short = await refusal(verify([sourceOf('a', exactly)], { genesis: genesisOfThree }));
    assert.match(short.message, /power-missing/, 'exactly two thirds are not more than two thirds');
    // One of three founders, whose power is exactly a third, and many newcomers: no ground to skip to them.
    const crowd = [three[0] as SigningValidator, ...NEWCOMERS];
    const skipped = makeChain({
      genesis: genesisOfThree,
      validatorsAt: (height) => (height < 20 ? three : crowd),
      length: LENGTH,
    });
    const last = [skipped[0], skipped.at(-1)] as LightBlock[];
    const trusted = trustConsortium(genesisOfThree);
    assert.ok(trusted.ok);
    const [from, to] = last.map((block) => verifySelf(block, trusted.value.chainName));
    assert.ok(from?.ok && to?.ok);
    const limits = { nowMs: NOW_MS, trustingPeriodMs: 3_600_000, maxClockDriftMs: 10_000 };
    assert.deepEqual(verifySkipping(from.value.trusted, to.value.block, limits), {
      ok: false,
      error: 'trusted-power-missing',
    });
    assert.equal(heightOf(await verify([sourceOf('a', skipped)], { genesis: genesisOfThree })), LENGTH);
  });

  test('counts a validator once, whatever a set says', () => {
    const [one, other] = FOUNDERS as readonly [SigningValidator, SigningValidator];
    assert.equal(validatorSetOf([one, other]).ok, true);
    assert.deepEqual(validatorSetOf([one, other, one]), { ok: false, error: 'validators-malformed' });
  });
});

describe('a fork', () => {
  const dataHash = sha256(utf8('another history'));
  /** Both histories share 20 blocks; all but the last founder sign both. */
  const forked = makeChain({
    genesis: GENESIS,
    validatorsAt: () => FOUNDERS,
    length: LENGTH,
    after: steady.slice(0, 20),
    dataHash,
    vote: (_, __, { publicKey }) => (toHex(publicKey) === keyOf(FOUNDERS, 3) ? 'absent' : 'commit'),
  });

  test('is proven, and the validators who signed twice are named with their organisations', async () => {
    const error = await refusal(
      verify([sourceOf('a', steady), sourceOf('b', forked), sourceOf('c', steady)]),
    );
    assert.equal(error.code, 'forked-head');
    const found = error.cause as ForkFound;
    assert.equal(found.fork.kind, 'equivocation');
    assert.deepEqual(found.sources, ['a', 'b']);
    assert.deepEqual(
      found.fork.signedBoth.map(({ publicKey }) => toHex(publicKey)).sort(),
      [0, 1, 2].map((index) => keyOf(FOUNDERS, index)).sort(),
    );
    for (const index of [0, 1, 2]) assert.ok(error.message.includes(keyOf(FOUNDERS, index)));
    assert.ok(!error.message.includes(keyOf(FOUNDERS, 3)), 'the honest one is not named');
    const evidence = formatForkEvidence(GENESIS, found) ?? '';
    const verdict = verifyForkEvidence(evidence);
    assert.ok(verdict.ok);
    assert.equal(verdict.value.fork.signedBothPower, 30);
    assert.match(verdict.value.statements.join('\n'), /of organisation [0-9a-f]{64} \(power 10\)/);
    assert.deepEqual(verifyForkEvidence(evidence, { chainId: new Uint8Array(32) }), {
      ok: false,
      error: 'wrong-chain',
    });
    const middle = evidence.length >> 1;
    const other = evidence[middle] === 'A' ? 'B' : 'A';
    assert.equal(
      verifyForkEvidence(evidence.slice(0, middle) + other + evidence.slice(middle + 1)).ok,
      false,
    );
  });

  test('is shown by blocks that lead from the genesis to one of both, whoever the validators are by then', async () => {
    const other = makeChain({
      genesis: GENESIS,
      validatorsAt: changing,
      length: LENGTH,
      after: moving.slice(0, 38),
      dataHash,
    });
    const error = await refusal(verify([sourceOf('a', moving), sourceOf('b', other)]));
    const found = error.cause as ForkFound;
    const evidence = formatForkEvidence(GENESIS, found);
    const verdict = verifyForkEvidence(evidence ?? '', { chainId: chainIdOf(GENESIS) });
    assert.ok(verdict.ok);
    assert.deepEqual(
      verdict.value.fork.signedBoth.map(({ publicKey }) => toHex(publicKey)).sort(),
      NEWCOMERS.map(({ publicKey }) => toHex(publicKey)).sort(),
    );
    const [last] = found.blocks;
    const cut = formatForkEvidence(GENESIS, { ...found, path: [last] });
    assert.deepEqual(verifyForkEvidence(cut ?? ''), { ok: false, error: 'trusted-power-missing' });
  });

  test('is told where it began, although other validators decide each side of it since', async () => {
    const rivals = (height: number): readonly SigningValidator[] =>
      height < 18
        ? changing(height)
        : changing(height).map((one) =>
            NEWCOMERS.slice(1).some(({ publicKey }) => toHex(publicKey) === toHex(one.publicKey))
              ? signingValidator(`rival of ${toHex(one.publicKey)}`, 10)
              : one,
          );
    const other = makeChain({
      genesis: GENESIS,
      validatorsAt: rivals,
      length: LENGTH,
      after: moving.slice(0, 10),
      dataHash,
    });
    const error = await refusal(verify([sourceOf('a', moving), sourceOf('b', other)]));
    const verdict = verifyForkEvidence(formatForkEvidence(GENESIS, error.cause as ForkFound) ?? '');
    assert.ok(verdict.ok);
    const { height, signedBoth, signedBothPower, totalPower } = verdict.value.fork;
    assert.deepEqual([height, signedBoth.length, signedBothPower, totalPower], [11, 4, 40, 40]);
  });

  test('is noticed by whoever comes back to a pinned block, also with one source', async () => {
    const heads = openTrustedHeads(join(folder, 'fork.json'));
    await verify([sourceOf('a', steady)], { heads }, 30);
    const error = await refusal(verify([sourceOf('b', forked)], { heads }));
    assert.equal(error.code, 'forked-head');
    assert.equal((error.cause as ForkFound).fork.height, 30);
  });

  test('is not made of keys that never were validators', async () => {
    const heads = openTrustedHeads(join(folder, 'invented.json'));
    await verify([sourceOf('a', steady)], { heads }, 30);
    const invented = makeChain({
      genesis: GENESIS,
      validatorsAt: () => [signingValidator('mallory', 1)],
      length: LENGTH,
    });
    const head = await verify([sourceOf('m', invented), sourceOf('a', steady), sourceOf('b', steady)], {
      heads,
    });
    assert.deepEqual(head.liars, [{ source: 'm', height: 30, reason: 'not-on-this-chain' }]);
  });

  test('is found behind made-up blocks, whatever the order of the sources', async () => {
    const madeUp = (name: string): LightSource =>
      sourceOf(
        name,
        makeChain({
          genesis: GENESIS,
          validatorsAt: () => [signingValidator(name, 1)],
          length: 30,
          after: steady.slice(0, 29),
        }),
      );
    const honest = [sourceOf('a', steady), sourceOf('b', steady)];
    const [one, other, fork] = [madeUp('m'), madeUp('n'), sourceOf('f', forked)];
    for (const sources of [
      [...honest, one, other, fork],
      [one, fork, other, ...honest],
      [fork, one, ...honest],
    ]) {
      const heads = openTrustedHeads(join(folder, `behind ${sources[0]?.name} ${sources[1]?.name}.json`));
      await verify([sourceOf('a', steady)], { heads }, 30);
      const error = await refusal(verify(sources, { heads }));
      assert.equal(error.code, 'forked-head');
      assert.deepEqual((error.cause as ForkFound).sources.toSorted(), ['f', 'your pinned head']);
    }
    const heads = openTrustedHeads(join(folder, 'all made up.json'));
    await verify([sourceOf('a', steady)], { heads }, 30);
    const { liars } = await verify([...honest, one, other], { heads });
    assert.deepEqual(
      liars.map(({ source }) => source),
      ['m', 'n'],
      'each liar is named',
    );
  });
});

describe('the pinned block', () => {
  test('is kept in a file; an older or another one is refused, and so is a damaged file', async () => {
    const file = join(folder, 'pinned.json');
    const heads = openTrustedHeads(file);
    assert.equal(heightOf(await verify([sourceOf('a', steady)], { heads }, 20)), 20);
    const behind = await refusal(
      verify([sourceOf('a', steady.slice(0, 19))], { heads: openTrustedHeads(file) }),
    );
    assert.equal(behind.code, 'behind');
    const past = await refusal(verify([sourceOf('a', steady)], { heads }, 19));
    assert.equal(past.code, 'invalid-request');
    assert.equal(heightOf(await verify([sourceOf('a', steady)], { heads }, 20)), 20, 'the same again');
    assert.equal(heightOf(await verify([sourceOf('a', steady)], { heads: openTrustedHeads(file) })), LENGTH);
    const chain = chainIdOf(GENESIS);
    await assert.rejects(heads.save(chain, steady[10] as LightBlock), { code: 'forked-head' });
    await assert.rejects(heads.save(chain, moving[LENGTH - 1] as LightBlock), { code: 'forked-head' });
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"heads"', '"headz"'));
    await assert.rejects(verify([sourceOf('a', steady)], { heads }), { code: 'damaged' });
  });
});

function keyOf(validators: readonly SigningValidator[], index: number): string {
  return toHex((validators[index] as SigningValidator).publicKey);
}
