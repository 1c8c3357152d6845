import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { accountIdOf, publicKeyOf, verifySignature } from '../identity/index.ts';
import {
  appHash,
  chainIdOf,
  decodeGenesis,
  decodeLogLeaf,
  decodeTransaction,
  encodeGenesis,
  encodeTransaction,
  executeBlock,
  RESULT_CODES,
  StateTree,
  type StateWrite,
  transactionId,
  verifyStateProof,
} from '../ledger/index.ts';
import { fromHex, leafHash, MerkleLog, toHex, verifyConsistency, verifyInclusion } from '../shared/index.ts';
import { actionName, CONTRACTS, genesisState } from './index.ts';

type Step = Record<
  'action' | 'transaction' | 'transactionId' | 'result' | 'leaf' | 'stateRoot' | 'logRoot' | 'appHash',
  string
> &
  Record<'code' | 'height' | 'timeMs', number>;
type ChainVectors = {
  actors: Record<string, { seed: string; publicKey: string; accountId: string }>;
  genesis: string;
  chainId: string;
  genesisStateRoot: string;
  steps: Step[];
};
type ProofVectors = {
  stateRoot: string;
  logRoot: string;
  logSize: number;
  state: {
    key: string;
    value: string | null;
    siblings: string[];
    otherLeaf: { key: string; valueHash: string } | null;
  }[];
  inclusion: { index: number; leafHash: string; proof: string[] }[];
  consistency: { oldSize: number; oldRoot: string; proof: string[] }[];
};

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'));
const chain = read('chain') as ChainVectors;
const proofs = read('proofs') as ProofVectors;
const hex = (text: string): Uint8Array => {
  const bytes = fromHex(text);
  assert.ok(bytes !== undefined);
  return bytes;
};

test('keys and account ids are those of the vectors', () => {
  for (const { seed, publicKey, accountId } of Object.values(chain.actors)) {
    assert.equal(toHex(publicKeyOf(hex(seed))), publicKey);
    assert.equal(toHex(accountIdOf(hex(publicKey))), accountId);
  }
});

test('the chain of the vectors executes to the same leaf, roots and appHash at every step', () => {
  const genesis = decodeGenesis(hex(chain.genesis));
  assert.ok(genesis.ok);
  assert.equal(toHex(encodeGenesis(genesis.value)), chain.genesis);
  assert.equal(toHex(chainIdOf(genesis.value)), chain.chainId);
  const [tree, log, values] = [new StateTree(), new MerkleLog(), new Map<string, Uint8Array>()];
  const take = (writes: readonly StateWrite[]) => {
    tree.stage(writes).commit();
    for (const [key, value] of writes) {
      if (value === undefined) values.delete(toHex(key));
      else values.set(toHex(key), value);
    }
  };
  take(genesisState(genesis.value));
  assert.equal(toHex(tree.root), chain.genesisStateRoot);
  const state = { get: (key: Uint8Array) => values.get(toHex(key)) };
  const rules = { chainId: hex(chain.chainId), contracts: CONTRACTS, verify: verifySignature };
  for (const step of chain.steps) {
    const output = executeBlock({
      ...rules,
      state,
      height: step.height,
      timeMs: step.timeMs,
      transactions: [hex(step.transaction)],
    });
    take(output.stateWrites);
    log.append(leafHash(output.leaves[0] as Uint8Array));
    assert.equal(output.results[0]?.code, step.code);
    assert.equal(RESULT_CODES[step.result as keyof typeof RESULT_CODES], step.code);
    assert.equal(toHex(output.leaves[0] as Uint8Array), step.leaf);
    assert.equal(toHex(tree.root), step.stateRoot);
    assert.equal(toHex(log.root()), step.logRoot);
    assert.equal(
      toHex(appHash({ height: step.height, logSize: log.size, logRoot: log.root(), stateRoot: tree.root })),
      step.appHash,
    );
  }
});

test('transactions of the vectors decode, and encode to themselves', () => {
  for (const step of chain.steps) {
    const transaction = decodeTransaction(hex(step.transaction));
    assert.ok(transaction.ok);
    assert.equal(toHex(encodeTransaction(transaction.value)), step.transaction);
    assert.equal(toHex(transactionId(transaction.value.header)), step.transactionId);
    assert.equal(actionName(transaction.value.header.contract, transaction.value.header.action), step.action);
    assert.ok(decodeLogLeaf(hex(step.leaf)).ok);
  }
});

test('no other bytes decode to a transaction of the vectors: each flip is another one, or none', () => {
  for (const step of chain.steps) {
    const bytes = hex(step.transaction);
    for (let place = 0; place < bytes.length; place += 1) {
      const flipped = bytes.slice();
      flipped[place] = (flipped[place] as number) ^ 0x01;
      const decoded = decodeTransaction(flipped);
      if (decoded.ok) assert.deepEqual(encodeTransaction(decoded.value), flipped);
    }
  }
});

test('proofs of the vectors verify', () => {
  for (const { key, value, siblings, otherLeaf } of proofs.state) {
    const other = otherLeaf && { key: hex(otherLeaf.key), valueHash: hex(otherLeaf.valueHash) };
    const proof = { siblings: siblings.map(hex), otherLeaf: other };
    assert.ok(
      verifyStateProof(hex(proofs.stateRoot), hex(key), value === null ? undefined : hex(value), proof),
    );
  }
  for (const { index, leafHash: leaf, proof } of proofs.inclusion) {
    assert.ok(verifyInclusion(hex(leaf), index, proofs.logSize, proof.map(hex), hex(proofs.logRoot)));
  }
  for (const { oldSize, oldRoot, proof } of proofs.consistency) {
    assert.ok(verifyConsistency(oldSize, proofs.logSize, proof.map(hex), hex(oldRoot), hex(proofs.logRoot)));
  }
});
