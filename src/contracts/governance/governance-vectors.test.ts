import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeGenesis, encodeGenesis } from '../../ledger/index.ts';
import { fromHex, toHex } from '../../shared/index.ts';
import { TestChain } from '../testing/test-chain.ts';
import { readMembers } from './members.ts';
import { readValidators, validatorUpdatesOf } from './validators.ts';

type Vectors = {
  genesis: string;
  chainId: string;
  genesisStateRoot: string;
  steps: {
    why: string;
    transaction: string;
    code: number;
    validatorUpdates: { consensusKey: string; power: number }[];
    stateRoot: string;
  }[];
  members: string[];
  validators: { consensusKey: string; organisation: string; power: number }[];
};
const vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/governance.json', import.meta.url), 'utf8'),
) as Vectors;
const hex = (text: string): Uint8Array => fromHex(text) as Uint8Array;

test('the decisions of the vectors give the same results, states and validators', () => {
  const genesis = decodeGenesis(hex(vectors.genesis));
  assert.ok(genesis.ok);
  assert.equal(toHex(encodeGenesis(genesis.value)), vectors.genesis);
  const chain = new TestChain(genesis.value);
  assert.equal(toHex(chain.chainId), vectors.chainId);
  assert.equal(toHex(chain.tree.root), vectors.genesisStateRoot);
  for (const step of vectors.steps) {
    const values = new Map([...chain.tree.keys()].map((key) => [toHex(key), chain.state.get(key)]));
    const { results, stateWrites } = chain.executeForOutput(hex(step.transaction));
    assert.equal(results[0]?.code, step.code, step.why);
    assert.equal(toHex(chain.tree.root), step.stateRoot, step.why);
    const updates = validatorUpdatesOf({ get: (key) => values.get(toHex(key)) }, stateWrites);
    const inHex = updates.map(({ consensusKey, power }) => ({ consensusKey: toHex(consensusKey), power }));
    assert.deepEqual(inHex, step.validatorUpdates, step.why);
  }
  assert.deepEqual(readMembers(chain.state).map(toHex), vectors.members);
  const validators = readValidators(chain.state).map(({ consensusKey, organisation, power }) => ({
    consensusKey: toHex(consensusKey),
    organisation: toHex(organisation),
    power,
  }));
  assert.deepEqual(validators, vectors.validators);
});
