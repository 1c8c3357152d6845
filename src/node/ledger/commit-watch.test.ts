import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTIONS, type ActionName } from '../../contracts/index.ts';
import { encodeTransaction, RESULT_CODES, signTransaction } from '../../ledger/index.ts';
import { changesOf } from './commit-watch.ts';

function blockOf(name: ActionName) {
  const { contract, action } = ACTIONS[name];
  const draft = { contract, action, sequence: 0, lastValidHeight: 1, parts: [new Uint8Array(1)] };
  const ids = { chainId: new Uint8Array(32), signer: new Uint8Array(32) };
  const transaction = encodeTransaction(signTransaction({ ...draft, ...ids }, new Uint8Array(32).fill(1)));
  return { height: 1, timeMs: 1, previousAppHash: new Uint8Array(32), transactions: [transaction] };
}

test('votes put the view of the registry out of date, as registrations do: an organisation can be removed by one', () => {
  const isStale = (name: ActionName, code: (typeof RESULT_CODES)[keyof typeof RESULT_CODES] = 0) =>
    changesOf(blockOf(name), [{ code }]).registry;
  for (const name of ['suspend-party', 'register-organisation', 'open-proposal', 'vote-on-proposal'] as const)
    assert.equal(isStale(name), true, name);
  assert.equal(isStale('vote-on-proposal', RESULT_CODES['already-voted']), false);
  assert.equal(isStale('anchor-access-log'), false);
});
