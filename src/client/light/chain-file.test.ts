import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  consortiumGenesis,
  founders,
  GENESIS_TIME_MS,
  makeChain,
} from '../../ledger/consensus/testing/consortium-chain.ts';
import { type SigningValidator, signingValidator } from '../../ledger/consensus/testing/light-chain.ts';
import { seededNumbers } from '../../ledger/consensus/testing/tampering.ts';
import { formatChainFile, openChainFile } from './chain-file.ts';
import { createLightClient } from './light-client.ts';
import type { LightSource } from './light-source.ts';

const FOUNDERS = founders(4);
const GENESIS = consortiumGenesis(FOUNDERS);
const LENGTH = 20;
const YEARS_LATER_MS = GENESIS_TIME_MS + 3 * 365 * 24 * 3_600_000;

/** Two of the four have left from block 10 on: those who stay are more than a third, and no two thirds. */
function changing(height: number): readonly SigningValidator[] {
  const newcomers = [0, 1].map((index) => signingValidator(`newcomer ${index}`, 10));
  return height < 10 ? FOUNDERS : [...FOUNDERS.slice(2), ...newcomers];
}
const blocks = makeChain({ genesis: GENESIS, validatorsAt: changing, length: LENGTH });

function source(name: string, own = blocks): LightSource {
  return { name, lightBlock: async (height) => own[(height === 'newest' ? LENGTH : height) - 1] };
}

const follow = (sources: readonly LightSource[], byHandOver: boolean) =>
  createLightClient({ genesis: GENESIS, sources, byHandOver, now: () => YEARS_LATER_MS }).verify();

describe('a chain from the genesis by hand-over', () => {
  test('is followed however old the genesis is, and no step of it by a third alone', async () => {
    await assert.rejects(follow([source('a'), source('b')], false), /older than the trusting period/);
    const { head, trace, agreeing } = await follow([source('a'), source('b')], true);
    assert.equal(head.trusted.height, LENGTH);
    assert.deepEqual(agreeing, ['b']);
    const heights = trace.map(({ trusted }) => trusted.height);
    assert.ok(heights.includes(9) && heights.includes(10), `the change itself is shown: ${heights}`);
  });

  test('is not taken from one source alone, nor from two that differ', async () => {
    const forged = blocks.map(({ header, ...rest }) => ({
      ...rest,
      header: { ...header, appHash: new Uint8Array(32) },
    }));
    for (const sources of [
      [source('a'), source('liar', forged)],
      [source('liar', forged), source('a')],
    ])
      await assert.rejects(follow(sources, true), { code: 'proof-refused' });
  });

  test('is kept in a file, of which every changed character is found', async () => {
    const { trace } = await follow([source('a'), source('b')], true);
    const text = formatChainFile(
      GENESIS,
      trace.map(({ block }) => block),
    );
    const opened = openChainFile(GENESIS, text);
    assert.deepEqual(
      opened?.map(({ trusted }) => trusted.height),
      trace.map(({ trusted }) => trusted.height),
    );
    const next = seededNumbers(7);
    for (let round = 0; round < 200; round += 1) {
      const place = Math.floor(next() * text.length);
      const wrong = text[place] === 'x' ? 'y' : 'x';
      assert.equal(openChainFile(GENESIS, text.slice(0, place) + wrong + text.slice(place + 1)), undefined);
    }
    assert.equal(openChainFile({ ...GENESIS, networkName: 'another' }, text), undefined);
  });

  test('with a step left out is none, although the file is whole', async () => {
    const last = blocks.at(-1);
    assert.ok(last);
    assert.equal(openChainFile(GENESIS, formatChainFile(GENESIS, [last])), undefined);
  });
});
