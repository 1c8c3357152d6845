import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleSigner } from '../src/engine/sample-chain.ts';
import { Agreement, type Claims, finalProblems, type Witness } from './faults/agreement.ts';
import type { BlockAnswer, Question } from './faults/application-protocol.ts';

type Shown = {
  blocks: BlockAnswer[];
  hashes: Map<number, string>;
  nextSequence: number;
  appHash: string;
};

function shown(): Shown {
  const block = (height: number): BlockAnswer => ({
    height,
    firstLeaf: height,
    digest: `ledger ${height}`,
    transactions: [{ id: `t${height}`, code: 0 }],
  });
  const hashes = [1, 2, 3].map((height): [number, string] => [height, `hash ${height}`]);
  return { blocks: [1, 2, 3].map(block), hashes: new Map(hashes), nextSequence: 3, appHash: 'aa' };
}

/** A node that shows three blocks, each with one transaction of one signer. */
function witness(place: number, holds: Shown = shown()): Witness {
  const answer = (question: Question): unknown => {
    if (question.ask === 'blocks') return holds.blocks.filter(({ height }) => height >= question.fromHeight);
    return question.ask === 'accounts' ? [holds.nextSequence] : undefined;
  };
  return {
    place,
    ask: async <Answer>(question: Question) => answer(question) as Answer,
    head: async () => ({ height: 3, appHash: holds.appHash, consensusHeight: 3 }),
    status: async () => ({ height: 3, earliestHeight: 1, isCatchingUp: false }),
    hashes: async (from, to) => new Map([...holds.hashes].filter(([at]) => at >= from && at <= to)),
  };
}

function claims(): Claims {
  const told = [1, 2, 3].map((height) => [
    `t${height}`,
    { height, index: 0, code: 0, leafIndex: height, by: 0 },
  ]);
  const signer = { ...sampleSigner(1, 'patient'), nextSequence: 3 };
  return { acknowledged: new Map(told as never), contradictions: [], signers: [signer] };
}

/** What is found when the second of two nodes shows something else. */
async function foundAfter(change: (holds: Shown) => void): Promise<string> {
  const holds = shown();
  change(holds);
  const nodes = [witness(0), witness(1, holds)];
  const problems = [...(await new Agreement().problems(nodes)), ...(await finalProblems(nodes, claims(), 0))];
  return problems.join('\n');
}

const BLOCK = shown().blocks[1] as BlockAnswer;

test('nodes that show the same, and what was acknowledged, are found in order', async () => {
  assert.equal(await foundAfter(() => undefined), '');
});

test('another block at a height is a fork, of the ledger and of the consensus engine', async () => {
  assert.match(
    await foundAfter(({ blocks }) => (blocks[1] = { ...BLOCK, digest: 'x' })),
    /FORK: ledger block 2/,
  );
  assert.match(await foundAfter(({ hashes }) => hashes.set(3, 'x')), /FORK: consensus block 3/);
});

test('a node that begins anew is compared from its beginning again', async () => {
  const agreement = new Agreement();
  const holds = shown();
  const nodes = [witness(0), witness(1, holds)];
  assert.deepEqual(await agreement.problems(nodes), []);
  holds.blocks[0] = { ...BLOCK, height: 1 };
  assert.deepEqual(await agreement.problems(nodes), []);
  agreement.forget(1);
  assert.match((await agreement.problems(nodes)).join(), /FORK: ledger block 1/);
});

test('what was acknowledged and is missing, elsewhere or with another result is named', async () => {
  assert.match(
    await foundAfter(({ blocks }) => (blocks[1] = { ...BLOCK, transactions: [] })),
    /node 1: transaction t2 was acknowledged at block 2.* and is missing/,
  );
  const refused = [{ id: 't2', code: 202 }];
  assert.match(
    await foundAfter(({ blocks }) => (blocks[1] = { ...BLOCK, transactions: refused })),
    /transaction t2 was acknowledged at .*result 0 and is .*result 202/,
  );
});

test('a transaction recorded twice, a number used twice and heads that differ are named', async () => {
  const twice = [{ id: 't1', code: 0 }];
  assert.match(
    await foundAfter(({ blocks }) => (blocks[1] = { ...BLOCK, transactions: twice })),
    /transaction t1 is recorded twice/,
  );
  assert.match(
    await foundAfter((holds) => (holds.nextSequence = 4)),
    /has used 3 numbers and the state says 4/,
  );
  assert.match(await foundAfter((holds) => (holds.appHash = 'bb')), /do not come to one head: .*aa \| .*bb/);
});

test('a node that joined by state sync need not hold the blocks before, but everything after', async () => {
  assert.equal(await foundAfter(({ blocks }) => blocks.shift()), '');
  assert.match(
    await foundAfter(({ blocks }) => blocks.splice(0, 2, { ...BLOCK, transactions: [] })),
    /t2 .*missing/,
  );
});
