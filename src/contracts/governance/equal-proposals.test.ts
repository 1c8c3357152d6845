import assert from 'node:assert/strict';
import { test } from 'node:test';
import { versionAt } from '../../ledger/index.ts';
import { isActiveOrganisation } from '../registry/party.ts';
import { Consortium, removal, validators } from '../testing/consortium.ts';
import { type Actor, actor } from '../testing/test-chain.ts';
import type { Change } from './change.ts';
import { readMembers } from './members.ts';
import { openProposalsOf, proposalIdOf, readProposal } from './proposal.ts';

const LAST = 90;
const newcomer = actor(90);

/** Opened by one of them, with the last height by which equal proposals differ. */
function opened(consortium: Consortium, by: number, change: Change, lastHeight: number): Uint8Array {
  assert.equal(consortium.propose(consortium.org(by), change, lastHeight), 'ok');
  return proposalIdOf(consortium.org(by).id, { lastHeight, change });
}

const statusOf = ({ chain }: Consortium, id: Uint8Array) => readProposal(chain.state, id)?.status;
const openOf = ({ chain }: Consortium, { id }: Actor) => openProposalsOf(chain.state, id, chain.height + 1);

test('a member does not save itself by proposing its own removal and taking that back again and again', () => {
  const consortium = new Consortium(5);
  const [squatter, ally] = [consortium.org(4), consortium.org(3)];
  const change = removal(squatter);
  const decoys = [squatter, ally].map((by, index) => {
    assert.equal(consortium.propose(by, change, LAST + index), 'ok');
    return proposalIdOf(by.id, { lastHeight: LAST + index, change });
  });
  const wanted = opened(consortium, 0, change, LAST + 2);
  for (const [turn, voter] of [1, 2].entries()) {
    assert.equal(consortium.vote(consortium.org(voter), wanted), 'ok');
    for (const [index, by] of [squatter, ally].entries()) {
      assert.equal(consortium.withdraw(by, decoys[index] as Uint8Array), 'ok');
      const lastHeight = LAST + 10 + 2 * turn + index;
      assert.equal(consortium.propose(by, change, lastHeight), 'ok');
      decoys[index] = proposalIdOf(by.id, { lastHeight, change });
    }
  }
  assert.equal(consortium.withdraw(squatter, wanted), 'not-the-proposer');
  assert.equal(statusOf(consortium, wanted), 'open');
  assert.equal(consortium.vote(ally, wanted), 'ok', 'four of five');
  assert.equal(statusOf(consortium, wanted), 'executed');
  assert.equal(isActiveOrganisation(consortium.chain.state, squatter.id), false);
});

test('equal proposals with the same last height have ids of their own', () => {
  const consortium = new Consortium(5);
  const squatter = consortium.org(4);
  const change = removal(squatter);
  const decoy = opened(consortium, 4, change, LAST);
  const wanted = opened(consortium, 0, change, LAST);
  assert.notDeepEqual(decoy, wanted);
  assert.equal(consortium.vote(consortium.org(1), wanted), 'ok');
  assert.equal(consortium.withdraw(squatter, wanted), 'not-the-proposer');
  assert.equal(consortium.withdraw(squatter, decoy), 'ok');
  assert.equal(consortium.propose(squatter, change, LAST), 'proposal-exists', 'an id is used once');
  for (const voter of [2, 3]) assert.equal(consortium.vote(consortium.org(voter), wanted), 'ok');
  assert.equal(statusOf(consortium, wanted), 'executed');
});

test('two equal proposals gather votes; the first that is carried makes the change and ends the other', () => {
  const consortium = new Consortium(6);
  const change = removal(consortium.org(5));
  const ids = [0, 1].map((by) => opened(consortium, by, change, LAST + by)) as [Uint8Array, Uint8Array];
  for (const voter of [2, 3])
    for (const id of ids) assert.equal(consortium.vote(consortium.org(voter), id), 'ok');
  assert.equal(consortium.vote(consortium.org(4), ids[0]), 'ok');
  assert.equal(consortium.vote(consortium.org(4), ids[1]), 'ok', 'four of six are not enough');
  assert.equal(consortium.vote(consortium.org(0), ids[1]), 'ok', 'who proposed the one can carry the other');
  assert.equal(statusOf(consortium, ids[1]), 'executed');
  assert.equal(statusOf(consortium, ids[0]), 'withdrawn');
  assert.equal(readProposal(consortium.chain.state, ids[0])?.closedHeight, consortium.chain.height);
  assert.equal(consortium.vote(consortium.org(1), ids[0]), 'proposal-closed');
  assert.equal(readMembers(consortium.chain.state).length, 5);
  for (const one of consortium.orgs) assert.deepEqual(openOf(consortium, one), []);
});

test('votes from before a change was undone do not make it again', () => {
  const consortium = new Consortium(5);
  const last = consortium.org(4);
  const [made, left] = [0, 1].map((by) => opened(consortium, by, removal(last), LAST + by));
  for (const voter of [2, 3]) assert.equal(consortium.vote(consortium.org(voter), left as Uint8Array), 'ok');
  for (const voter of [1, 2, 3])
    assert.equal(consortium.vote(consortium.org(voter), made as Uint8Array), 'ok');
  assert.equal(consortium.decide(consortium.admission(consortium.org(0), last)), 'ok');
  assert.equal(consortium.vote(consortium.org(0), left as Uint8Array), 'proposal-closed');
  assert.ok(isActiveOrganisation(consortium.chain.state, last.id));
});

test('an organisation that two members want to admit is admitted once', () => {
  const consortium = new Consortium(4);
  const admissions = [0, 1].map((by) => consortium.admission(consortium.org(by), newcomer));
  const ids = admissions.map((change, by) => opened(consortium, by, change, LAST));
  const [first, second] = ids as [Uint8Array, Uint8Array];
  for (const id of ids) assert.equal(consortium.vote(consortium.org(2), id), 'ok');
  assert.equal(consortium.vote(consortium.org(3), first), 'ok');
  assert.equal(readMembers(consortium.chain.state).length, 5);
  assert.equal(statusOf(consortium, second), 'withdrawn', 'another proof for the same key');
  assert.equal(consortium.vote(consortium.org(3), second), 'proposal-closed');
  assert.equal(readMembers(consortium.chain.state).length, 5);
});

test('validators and versions are set once by equal proposals, whatever was decided since', () => {
  const consortium = new Consortium(4);
  const weigh = (power: number): Change => validators(consortium.validator(0, power));
  const begin = (height: number): Change => ({ kind: 'activate-version', version: 2, height });
  for (const [change, since] of [
    [weigh(14), weigh(12)],
    [begin(1000), begin(1500)],
  ] as const) {
    const [made, left] = [0, 1].map((by) => opened(consortium, by, change, LAST + by));
    assert.equal(consortium.vote(consortium.org(2), left as Uint8Array), 'ok');
    for (const voter of [1, 2])
      assert.equal(consortium.vote(consortium.org(voter), made as Uint8Array), 'ok');
    assert.equal(consortium.decide(since), 'ok');
    assert.equal(consortium.vote(consortium.org(3), left as Uint8Array), 'proposal-closed');
  }
  assert.deepEqual(consortium.powers().sort(), [10, 10, 10, 12]);
  assert.equal(versionAt(consortium.chain.state, 1000), 1);
});

test('who proposed its own removal is removed by it, and has nothing open then', () => {
  const consortium = new Consortium(5);
  const last = consortium.org(4);
  const id = opened(consortium, 4, removal(last), LAST);
  for (const voter of [0, 1, 2]) assert.equal(consortium.vote(consortium.org(voter), id), 'ok');
  assert.equal(statusOf(consortium, id), 'executed');
  assert.deepEqual(openOf(consortium, last), []);
  assert.equal(isActiveOrganisation(consortium.chain.state, last.id), false);
});
