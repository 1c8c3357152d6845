import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Request } from 'cosmjs-types/tendermint/abci/types';
import { MAX_BLOCK_TRANSACTIONS } from '../../../ledger/index.ts';
import { crowdedProposal } from './crowded-proposal.ts';

const proposal = (count: number): Uint8Array => {
  const txs = Array<Uint8Array>(count).fill(new Uint8Array(0));
  const hash = new Uint8Array(32).fill(10);
  return Request.encode(Request.fromPartial({ processProposal: { txs, hash, height: 10n } })).finish();
};

test('a proposal of too many transactions is taken for one of one too many, and not decoded', () => {
  const crowded = crowdedProposal(proposal(1_000_000));
  assert.equal(crowded?.processProposal?.txs.length, MAX_BLOCK_TRANSACTIONS + 1);
});

test('every other message is left to the general decoder', () => {
  assert.equal(crowdedProposal(proposal(MAX_BLOCK_TRANSACTIONS)), undefined);
  assert.equal(crowdedProposal(Request.encode(Request.fromPartial({ commit: {} })).finish()), undefined);
  const txs = Array<Uint8Array>(MAX_BLOCK_TRANSACTIONS + 1).fill(new Uint8Array(0));
  const prepare = Request.fromPartial({ prepareProposal: { txs } });
  assert.equal(crowdedProposal(Request.encode(prepare).finish()), undefined);
  assert.throws(() => crowdedProposal(proposal(3).slice(0, -4)));
});
