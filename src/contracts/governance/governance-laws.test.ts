import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PublicKey } from '../../identity/index.ts';
import { readAccount, stoppableByOne } from '../../ledger/index.ts';
import { compareBytes, toHex } from '../../shared/index.ts';
import { provePossession } from '../registry/registration.ts';
import { type Actor, actor, TestChain } from '../testing/test-chain.ts';
import type { Change } from './change.ts';
import { readMembers } from './members.ts';
import { encodeOpenProposal, type ProposalDraft, proposalIdOf, readProposal } from './proposal.ts';
import { readValidators, validatorUpdatesOf } from './validators.ts';
import { encodeVoteOnProposal } from './vote-on-proposal.ts';

const LAST_HEIGHT = 500;
const ORGS = Array.from({ length: 7 }, (_, index) => actor(20 + index));
const NEWCOMERS = [actor(60), actor(61)];
const org = (index: number): Actor => ORGS[index] as Actor;
const consensusKey = (index: number): PublicKey => actor(120 + index).publicKey as PublicKey;
const isIn = (ids: readonly Uint8Array[], { id }: Actor): boolean =>
  ids.some((one) => toHex(one) === toHex(id));

function consortium(size: number): TestChain {
  const members = ORGS.slice(0, size);
  return new TestChain({
    organisationKeys: members.map(({ publicKey }) => publicKey as PublicKey),
    validators: members.map((_, organisation) => ({
      consensusKey: consensusKey(organisation),
      organisation,
      power: 10,
    })),
  });
}

function admission(chain: TestChain, by: Actor, who: Actor): Change {
  const possessionProof = provePossession(chain.chainId, by.id, who.publicKey, who.seed);
  return {
    kind: 'admit-organisation',
    registration: { publicKey: who.publicKey, possessionProof, roles: [] },
  };
}

const open = (chain: TestChain, by: Actor, draft: ProposalDraft) =>
  chain.run(by, 'open-proposal', encodeOpenProposal(draft));
const vote = (chain: TestChain, by: Actor, proposalId: Uint8Array, isYes: boolean) =>
  chain.run(by, 'vote-on-proposal', encodeVoteOnProposal({ proposalId, isYes }));

type Ballot = { readonly voter: number; readonly isYes: boolean };
const ballots = (size: number): fc.Arbitrary<Ballot[]> =>
  fc.array(fc.record({ voter: fc.nat(size - 1), isYes: fc.boolean() }), { maxLength: 3 * size });
const election = fc.integer({ min: 2, max: 7 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    cast: ballots(size),
    order: fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
  }),
);

test('a change is made exactly when more than two thirds said yes, each heard once, by its first vote', () => {
  fc.assert(
    fc.property(election, ({ size, cast }) => {
      const chain = consortium(size);
      const draft = { lastHeight: LAST_HEIGHT, change: admission(chain, org(0), NEWCOMERS[0] as Actor) };
      const heard = new Map<number, boolean>([[0, true]]);
      open(chain, org(0), draft);
      for (const { voter, isYes } of cast) {
        const yes = [...heard.values()].filter(Boolean).length;
        const isDecided = 3 * yes > 2 * size;
        assert.equal(isIn(readMembers(chain.state), NEWCOMERS[0] as Actor), isDecided, `${yes} of ${size}`);
        const result = vote(chain, org(voter), proposalIdOf(org(0).id, draft), isYes);
        const expected = isDecided ? 'proposal-closed' : heard.has(voter) ? 'already-voted' : 'ok';
        assert.equal(result, expected);
        if (result === 'ok') heard.set(voter, isYes);
      }
      const yes = [...heard.values()].filter(Boolean).length;
      assert.equal(isIn(readMembers(chain.state), NEWCOMERS[0] as Actor), 3 * yes > 2 * size);
    }),
    { seed: 11, numRuns: 40 },
  );
});

test('the order in which the same votes come does not matter for what is decided', () => {
  fc.assert(
    fc.property(election, ({ size, cast, order }) => {
      const opinion = (voter: number): boolean => cast[voter]?.isYes ?? voter % 2 === 0;
      const outcome = (voters: readonly number[]): string => {
        const chain = consortium(size);
        const draft = { lastHeight: LAST_HEIGHT, change: admission(chain, org(0), NEWCOMERS[0] as Actor) };
        open(chain, org(0), draft);
        for (const voter of voters) vote(chain, org(voter), proposalIdOf(org(0).id, draft), opinion(voter));
        const status = readProposal(chain.state, proposalIdOf(org(0).id, draft))?.status;
        return `${status} ${readMembers(chain.state).map(toHex)}`;
      };
      const others = order.filter((voter) => voter !== 0);
      assert.equal(outcome(others), outcome([...others].sort((left, right) => left - right)));
    }),
    { seed: 12, numRuns: 25 },
  );
});

type Move =
  | { readonly kind: 'remove'; readonly target: number }
  | { readonly kind: 'admit'; readonly target: number }
  | {
      readonly kind: 'validators';
      readonly keys: readonly { key: number; organisation: number; power: number }[];
    };
const move: fc.Arbitrary<Move & { readonly supporters: readonly number[] }> = fc
  .record({
    what: fc.oneof(
      fc.record({ kind: fc.constant('remove' as const), target: fc.nat(6) }),
      fc.record({ kind: fc.constant('admit' as const), target: fc.nat(6) }),
      fc.record({
        kind: fc.constant('validators' as const),
        keys: fc.uniqueArray(
          fc.record({ key: fc.nat(9), organisation: fc.nat(6), power: fc.constantFrom(0, 1, 9, 10, 11, 30) }),
          { minLength: 1, maxLength: 3, selector: ({ key }) => key },
        ),
      }),
    ),
    supporters: fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 4 }),
  })
  .map(({ what, supporters }) => ({ ...what, supporters }));

function changeOf(chain: TestChain, by: Actor, wanted: Move): Change {
  if (wanted.kind === 'remove') return { kind: 'remove-organisation', organisation: org(wanted.target).id };
  if (wanted.kind === 'admit') return admission(chain, by, org(wanted.target));
  const validators = wanted.keys.map(({ key, organisation, power }) => ({
    consensusKey: consensusKey(key),
    organisation: org(organisation).id,
    power,
  }));
  return {
    kind: 'set-validators',
    validators: validators.sort((left, right) => compareBytes(left.consensusKey, right.consensusKey)),
  };
}

test('whatever is decided: four validators of four organisations stay, each below a third, all of them members', () => {
  let made = 0;
  fc.assert(
    fc.property(fc.array(move, { minLength: 1, maxLength: 12 }), (moves) => {
      const chain = consortium(5);
      const engine = new Map(readValidators(chain.state).map((one) => [toHex(one.consensusKey), one.power]));
      for (const [turn, wanted] of moves.entries()) {
        const [first, ...others] = wanted.supporters.map(org) as [Actor, ...Actor[]];
        const draft = { lastHeight: LAST_HEIGHT + turn, change: changeOf(chain, first, wanted) };
        for (const by of [first, ...others]) {
          const before = snapshotOf(chain);
          const bytes =
            by === first
              ? chain.sign(by, 'open-proposal', encodeOpenProposal(draft), sequenceOf(chain, by))
              : chain.sign(
                  by,
                  'vote-on-proposal',
                  encodeVoteOnProposal({ proposalId: proposalIdOf(first.id, draft), isYes: true }),
                  sequenceOf(chain, by),
                );
          const { stateWrites } = chain.executeForOutput(bytes);
          for (const { consensusKey: key, power } of validatorUpdatesOf(before, stateWrites)) {
            made += 1;
            assert.ok(power > 0 || engine.has(toHex(key)), 'only a validator that is there is taken away');
            if (power === 0) engine.delete(toHex(key));
            else engine.set(toHex(key), power);
          }
          assertSafe(chain);
        }
      }
      const now = readValidators(chain.state).map((one) => [toHex(one.consensusKey), one.power] as const);
      assert.deepEqual(
        [...engine].sort(),
        [...now].sort(),
        'the updates lead to the validators of the state',
      );
    }),
    { seed: 13, numRuns: 40 },
  );
  assert.ok(made > 20, `${made} updates were made`);
});

function assertSafe(chain: TestChain): void {
  const members = readMembers(chain.state);
  const validators = readValidators(chain.state);
  const weights = validators.map(({ organisation, power }) => ({ organisation: toHex(organisation), power }));
  assert.ok(validators.length >= 4);
  assert.ok(new Set(weights.map(({ organisation }) => organisation)).size >= 4);
  assert.equal(stoppableByOne(weights), false);
  assert.ok(validators.every(({ organisation }) => members.some((id) => toHex(id) === toHex(organisation))));
}

/** The number that the account has to use, whatever became of what it signed before. */
function sequenceOf(chain: TestChain, { id }: Actor): { sequence: number } {
  return { sequence: readAccount(chain.state, id)?.nextSequence ?? 0 };
}

function snapshotOf(chain: TestChain): { get(key: Uint8Array): Uint8Array | undefined } {
  const values = new Map([...chain.tree.keys()].map((key) => [toHex(key), chain.state.get(key)]));
  return { get: (key) => values.get(toHex(key)) };
}
