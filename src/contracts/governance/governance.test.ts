import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ResultName, readAccount, versionAt } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import { encodeGrantConsent } from '../consent/grant-consent.ts';
import { encodeRevokeConsent } from '../consent/revoke-consent.ts';
import { isActiveOrganisation } from '../registry/party.ts';
import { provePossession } from '../registry/registration.ts';
import { encodeRotateKey } from '../registry/rotate-key.ts';
import { encodeSuspension } from '../registry/suspension.ts';
import { Consortium, consensusKey, removal, validators } from '../testing/consortium.ts';
import { type Actor, actor } from '../testing/test-chain.ts';
import type { Change } from './change.ts';
import { MIN_ACTIVATION_BLOCKS } from './check-change.ts';
import { readMembers } from './members.ts';
import { MAX_OPEN_PROPOSALS, MAX_PROPOSAL_BLOCKS } from './open-proposal.ts';
import { encodeOpenProposal, proposalIdOf, readProposal } from './proposal.ts';
import { readValidators, validatorUpdatesOf } from './validators.ts';
import { encodeVoteOnProposal } from './vote-on-proposal.ts';
import { encodeWithdrawProposal } from './withdraw-proposal.ts';

const newcomer = actor(90);

test('a change is made by the vote that brings more than two thirds, and not before', () => {
  for (const [size, needed] of [
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 3],
    [5, 4],
    [6, 5],
    [7, 5],
    [9, 7],
  ] as const) {
    const consortium = new Consortium(size);
    const change = consortium.admission(consortium.org(0), newcomer);
    const draft = { lastHeight: 50, change };
    const isMember = () => readMembers(consortium.chain.state).some((id) => toHex(id) === toHex(newcomer.id));
    assert.equal(consortium.propose(consortium.org(0), change, 50), 'ok');
    for (let yes = 1; yes < needed; yes += 1) {
      assert.equal(isMember(), false, `${yes} of ${size}`);
      assert.equal(consortium.vote(consortium.org(yes), proposalIdOf(consortium.org(0).id, draft)), 'ok');
    }
    assert.ok(isMember(), `${needed} of ${size}`);
    const proposal = readProposal(consortium.chain.state, proposalIdOf(consortium.org(0).id, draft));
    assert.equal(proposal?.status, 'executed');
    assert.equal(proposal?.closedHeight, consortium.chain.height);
    assert.equal(proposal?.votes.length, needed);
  }
});

test('an organisation votes once, whichever way, and its second vote changes nothing', () => {
  const consortium = new Consortium(4);
  const change = consortium.admission(consortium.org(0), newcomer);
  const id = proposalIdOf(consortium.org(0).id, { lastHeight: 50, change });
  consortium.propose(consortium.org(0), change, 50);
  assert.equal(consortium.vote(consortium.org(0), id), 'already-voted', 'opening was its vote');
  assert.equal(consortium.vote(consortium.org(1), id, false), 'ok');
  assert.equal(consortium.vote(consortium.org(1), id), 'already-voted');
  assert.equal(consortium.vote(consortium.org(2), id), 'ok');
  assert.equal(consortium.vote(consortium.org(2), id), 'already-voted');
  assert.equal(readProposal(consortium.chain.state, id)?.status, 'open', 'two of four for it');
  assert.equal(consortium.vote(consortium.org(3), id), 'ok');
  assert.equal(readProposal(consortium.chain.state, id)?.status, 'executed');
});

test('two votes of one organisation in one block count once', () => {
  const consortium = new Consortium(4);
  const change = consortium.admission(consortium.org(0), newcomer);
  consortium.propose(consortium.org(0), change, 50);
  const proposalId = proposalIdOf(consortium.org(0).id, { lastHeight: 50, change });
  const payload = encodeVoteOnProposal({ proposalId, isYes: true });
  const votes = [0, 1].map((sequence) => {
    return consortium.chain.sign(consortium.org(1), 'vote-on-proposal', payload, { sequence });
  });
  assert.deepEqual(consortium.chain.execute(...votes), ['ok', 'already-voted']);
  assert.equal(readMembers(consortium.chain.state).length, 4);
});

test('only members propose and vote, on what is there and still open', () => {
  const consortium = new Consortium(4);
  const [first, second] = [consortium.org(0), consortium.org(1)];
  const change = consortium.admission(first, newcomer);
  const draft = { lastHeight: 20, change };
  const outsider = actor(40);
  consortium.chain.register(first, 'register-practitioner', outsider);
  assert.equal(consortium.propose(outsider, change), 'not-a-member');
  assert.equal(consortium.propose(first, change, 20), 'ok');
  assert.equal(consortium.vote(outsider, proposalIdOf(consortium.org(0).id, draft)), 'not-a-member');
  assert.equal(consortium.vote(second, new Uint8Array(32)), 'unknown-proposal');
  const withdrawal = encodeWithdrawProposal({ proposalId: proposalIdOf(consortium.org(0).id, draft) });
  assert.equal(consortium.chain.run(second, 'withdraw-proposal', withdrawal), 'not-the-proposer');
  assert.equal(consortium.chain.run(first, 'withdraw-proposal', withdrawal), 'ok');
  assert.equal(consortium.chain.run(first, 'withdraw-proposal', withdrawal), 'proposal-closed');
  assert.equal(consortium.vote(second, proposalIdOf(consortium.org(0).id, draft)), 'proposal-closed');
});

test('a proposal ends at its last height, and leaves its place to another', () => {
  const consortium = new Consortium(4);
  const change = consortium.admission(consortium.org(0), newcomer);
  const { chain } = consortium;
  assert.equal(consortium.propose(consortium.org(0), change, chain.height + 1), 'bad-expiry');
  assert.equal(
    consortium.propose(consortium.org(0), change, chain.height + 2 + MAX_PROPOSAL_BLOCKS),
    'bad-expiry',
  );
  const lastHeight = chain.height + 4;
  const id = proposalIdOf(consortium.org(0).id, { lastHeight, change });
  assert.equal(consortium.propose(consortium.org(0), change, lastHeight), 'ok');
  assert.equal(consortium.propose(consortium.org(0), change, lastHeight + 9), 'proposal-exists');
  assert.equal(consortium.vote(consortium.org(1), id), 'ok', 'at its last height but one');
  assert.equal(consortium.vote(consortium.org(2), id, false), 'ok', 'at its last height');
  assert.equal(consortium.vote(consortium.org(3), id), 'proposal-expired');
  assert.equal(readMembers(chain.state).length, 4);
  assert.equal(consortium.decide(change), 'ok', 'the same content can be proposed again');
  assert.equal(readMembers(chain.state).length, 5);
});

test('a member has a limited number of open proposals, and cannot use up those of the others', () => {
  const consortium = new Consortium(4);
  const [first, second] = [consortium.org(0), consortium.org(1)];
  const change = (version: number): Change => ({ kind: 'activate-version', version, height: 1000 });
  for (let version = 2; version < 2 + MAX_OPEN_PROPOSALS; version += 1)
    assert.equal(consortium.propose(first, change(version), 50), 'ok');
  assert.equal(consortium.propose(first, change(99)), 'too-many-proposals');
  assert.equal(consortium.propose(second, change(2), 51), 'ok', 'of what another has open too');
  assert.equal(consortium.propose(second, change(2), 52), 'proposal-exists', 'but once');
  assert.equal(consortium.propose(second, change(99)), 'ok');
  const withdrawal = encodeWithdrawProposal({
    proposalId: proposalIdOf(consortium.org(0).id, { lastHeight: 50, change: change(2) }),
  });
  assert.equal(consortium.chain.run(first, 'withdraw-proposal', withdrawal), 'ok');
  assert.equal(consortium.propose(first, change(100)), 'ok');
});

test('an organisation is admitted once, with a key that it holds', () => {
  const consortium = new Consortium(4);
  const [first, second] = [consortium.org(0), consortium.org(1)];
  const admission = consortium.admission(first, newcomer);
  assert.equal(
    consortium.propose(second, admission),
    'bad-possession-proof',
    'a proof is made for who proposes',
  );
  assert.equal(consortium.propose(first, consortium.admission(first, second)), 'already-a-member');
  const nurse = actor(41);
  consortium.chain.register(first, 'register-practitioner', nurse);
  assert.equal(consortium.propose(first, consortium.admission(first, nurse)), 'party-exists');
  assert.equal(consortium.decide(admission), 'ok');
  assert.ok(isActiveOrganisation(consortium.chain.state, newcomer.id));
  assert.equal(
    consortium.chain.register(newcomer, 'enrol-patient', actor(42)),
    'ok',
    'it may do what they do',
  );
});

test('organisations are registered and suspended by vote alone where there are several members', () => {
  const several = new Consortium(2);
  const [first, second] = [several.org(0), several.org(1)];
  const nurse = actor(43);
  assert.equal(several.chain.register(first, 'register-organisation', newcomer), 'needs-a-vote');
  const suspension = encodeSuspension({ accountId: second.id });
  assert.equal(several.chain.run(first, 'suspend-party', suspension), 'needs-a-vote');
  assert.equal(several.chain.register(second, 'register-practitioner', nurse), 'ok');
  const ofNurse = encodeSuspension({ accountId: nurse.id });
  assert.equal(several.chain.run(first, 'suspend-party', ofNurse), 'not-permitted');
  assert.equal(several.chain.run(second, 'suspend-party', ofNurse), 'ok');
  const alone = new Consortium(1, []);
  assert.equal(alone.chain.register(alone.org(0), 'register-organisation', newcomer), 'ok');
  assert.equal(readMembers(alone.chain.state).length, 1, 'it has no vote');
  assert.equal(
    alone.chain.run(alone.org(0), 'suspend-party', encodeSuspension({ accountId: newcomer.id })),
    'ok',
  );
});

test('a removed organisation is suspended, loses its validators and proposals, and can come back', () => {
  const consortium = new Consortium(5);
  const { chain } = consortium;
  const last = consortium.org(4);
  const pending = consortium.admission(last, newcomer);
  const lastHeight = chain.height + 90;
  assert.equal(consortium.propose(last, pending, lastHeight), 'ok');
  const before = readValidators(chain.state).length;
  assert.equal(consortium.decide(removal(last)), 'ok');
  assert.equal(readMembers(chain.state).length, 4);
  assert.equal(readValidators(chain.state).length, before - 1);
  assert.equal(readAccount(chain.state, last.id)?.isSuspended, true);
  assert.equal(
    readProposal(chain.state, proposalIdOf(last.id, { lastHeight, change: pending }))?.status,
    'withdrawn',
  );
  assert.equal(consortium.propose(last, removal(consortium.org(0))), 'suspended-signer');
  assert.equal(consortium.propose(consortium.org(0), removal(last)), 'unknown-organisation');
  assert.equal(consortium.decide(consortium.admission(consortium.org(0), last)), 'ok');
  assert.equal(readAccount(chain.state, last.id)?.isSuspended, false);
  assert.equal(readMembers(chain.state).length, 5);
});

test('with a removed organisation its staff and devices sign nothing; its patients do, and everybody when it comes back', () => {
  const consortium = new Consortium(5);
  const { chain } = consortium;
  const last = consortium.org(4);
  const [doctor, device, patient] = [actor(90), actor(91), actor(92)];
  assert.equal(chain.register(last, 'register-practitioner', doctor), 'ok');
  assert.equal(chain.register(last, 'register-device', device), 'ok');
  assert.equal(chain.register(last, 'enrol-patient', patient), 'ok');
  const rotate = (by: Actor, newKey: Actor): ResultName | undefined => {
    const possessionProof = provePossession(chain.chainId, by.id, newKey.publicKey, newKey.seed);
    return chain.run(by, 'rotate-key', encodeRotateKey({ newKey: newKey.publicKey, possessionProof }));
  };
  const grant = (consentId: Uint8Array): Uint8Array =>
    encodeGrantConsent({
      consentId,
      patient: patient.id,
      custodian: last.id,
      validFromMs: 1,
      validUntilMs: 2,
      termsCommitment: actor(3).id,
    });
  const [before, after] = [actor(4).id, actor(5).id];
  assert.equal(chain.run(patient, 'grant-consent', grant(before)), 'ok');
  assert.equal(consortium.decide(removal(last)), 'ok');
  for (const by of [doctor, device]) assert.equal(rotate(by, by), 'suspended-signer');
  const revoke = (consentId: Uint8Array): Uint8Array =>
    encodeRevokeConsent({ consentId, expectedVersion: 1 });
  assert.equal(chain.run(patient, 'revoke-consent', revoke(before)), 'ok');
  assert.equal(chain.run(patient, 'grant-consent', grant(after)), 'ok');
  assert.equal(rotate(patient, patient), 'ok');
  assert.equal(consortium.decide(consortium.admission(consortium.org(0), last)), 'ok');
  for (const by of [doctor, device]) assert.equal(rotate(by, by), 'ok');
});

test('nobody removes the last member, or one whose leaving leaves fewer than four validators', () => {
  const four = new Consortium(4);
  assert.equal(four.propose(four.org(0), removal(four.org(3))), 'too-few-validators');
  const alone = new Consortium(1, []);
  assert.equal(alone.propose(alone.org(0), removal(alone.org(0))), 'last-member');
  const threeOfFive = new Consortium(5, [0, 1, 2, 3, 3]);
  assert.equal(threeOfFive.propose(threeOfFive.org(0), removal(threeOfFive.org(2))), 'too-few-validators');
  assert.equal(threeOfFive.decide(removal(threeOfFive.org(4))), 'ok', 'it has no validator');
});

test('what became impossible while votes came in refuses the deciding vote, and waits', () => {
  const consortium = new Consortium(5);
  const [leaving, staying] = [consortium.org(4), consortium.org(3)];
  const draft = { lastHeight: 60, change: removal(staying) };
  assert.equal(consortium.propose(consortium.org(0), draft.change, 60), 'ok');
  assert.equal(consortium.vote(consortium.org(1), proposalIdOf(consortium.org(0).id, draft)), 'ok');
  assert.equal(consortium.decide(removal(leaving)), 'ok');
  assert.equal(
    consortium.vote(consortium.org(2), proposalIdOf(consortium.org(0).id, draft)),
    'too-few-validators',
  );
  assert.ok(isActiveOrganisation(consortium.chain.state, staying.id));
  assert.equal(
    readProposal(consortium.chain.state, proposalIdOf(consortium.org(0).id, draft))?.votes.length,
    2,
  );
});

test('validators change by vote, within what keeps the network safe', () => {
  const consortium = new Consortium(4);
  const first = consortium.org(0);
  const refused = (change: Change) => consortium.propose(first, change);
  assert.equal(refused(validators(consortium.validator(3, 0))), 'too-few-validators');
  assert.equal(refused(validators(consortium.validator(0, 15))), 'third-of-power');
  assert.equal(refused(validators(consortium.validator(9, 0, first))), 'unknown-validator');
  assert.equal(refused(validators(consortium.validator(9, 5, newcomer))), 'unknown-organisation');
  const moved = [consortium.validator(3, 10, consortium.org(2))];
  assert.equal(refused(validators(...moved)), 'too-few-validators', 'four keys of three organisations');
  const bad = { ...consortium.validator(9, 5, first), consensusKey: new Uint8Array(32) };
  assert.equal(refused(validators(bad)), 'bad-key');
  assert.equal(
    consortium.decide(validators(consortium.validator(0, 14), consortium.validator(9, 1, consortium.org(1)))),
    'ok',
  );
  assert.deepEqual(consortium.powers().sort(), [1, 10, 10, 10, 14]);
  assert.equal(
    consortium.decide(validators(consortium.validator(1, 0), consortium.validator(9, 9, consortium.org(1)))),
    'ok',
  );
  assert.deepEqual(consortium.powers().sort(), [10, 10, 14, 9], 'a key is replaced by another in one step');
});

test('the ledger of an operator gets no validators by vote', () => {
  const alone = new Consortium(1, []);
  const added = validators(alone.validator(0, 5));
  assert.equal(alone.propose(alone.org(0), added), 'no-validators');
});

test('a block yields what changed of the validators, once for each key, also when two votes touched it', () => {
  const consortium = new Consortium(4);
  const { chain } = consortium;
  const drafts = [14, 12].map((power, index) => ({
    lastHeight: 50,
    change:
      index === 0
        ? validators(consortium.validator(0, power), consortium.validator(8, 1, consortium.org(1)))
        : validators(consortium.validator(0, power), consortium.validator(8, 0, consortium.org(1))),
  }));
  const [grow, shrink] = drafts as [(typeof drafts)[0], (typeof drafts)[0]];
  const open = (draft: (typeof drafts)[0]) => encodeOpenProposal(draft);
  const vote = (draft: (typeof drafts)[0]) =>
    encodeVoteOnProposal({ proposalId: proposalIdOf(consortium.org(0).id, draft), isYes: true });
  assert.equal(chain.run(consortium.org(0), 'open-proposal', open(grow)), 'ok');
  assert.equal(chain.run(consortium.org(1), 'vote-on-proposal', vote(grow)), 'ok');
  const values = new Map([...chain.tree.keys()].map((key) => [toHex(key), chain.state.get(key)]));
  const before = { get: (key: Uint8Array) => values.get(toHex(key)) };
  const signed = [
    chain.sign(consortium.org(2), 'vote-on-proposal', vote(grow), { sequence: 0 }),
    chain.sign(consortium.org(0), 'open-proposal', open(shrink), { sequence: 1 }),
    chain.sign(consortium.org(1), 'vote-on-proposal', vote(shrink), { sequence: 1 }),
    chain.sign(consortium.org(2), 'vote-on-proposal', vote(shrink), { sequence: 1 }),
  ];
  const output = chain.executeForOutput(...signed);
  assert.deepEqual(output.results, [{ code: 0 }, { code: 0 }, { code: 0 }, { code: 0 }]);
  assert.deepEqual(validatorUpdatesOf(before, output.stateWrites), [
    { consensusKey: consensusKey(0), power: 12 },
  ]);
  assert.deepEqual(validatorUpdatesOf(chain.state, []), []);
});

test('a version is activated at a height that is far enough ahead, and can be put off before it', () => {
  const consortium = new Consortium(4);
  const { chain } = consortium;
  const activation = (version: number, height: number): Change => ({
    kind: 'activate-version',
    version,
    height,
  });
  const soon = chain.height + MIN_ACTIVATION_BLOCKS;
  assert.equal(consortium.propose(consortium.org(0), activation(2, soon)), 'activation-too-soon');
  assert.equal(consortium.propose(consortium.org(0), activation(1, 5000)), 'version-not-ahead');
  assert.equal(consortium.decide(activation(2, 1000)), 'ok');
  assert.deepEqual(
    [999, 1000].map((height) => versionAt(chain.state, height)),
    [1, 2],
  );
  assert.equal(consortium.decide(activation(2, 1500)), 'ok');
  assert.deepEqual(
    [1000, 1499, 1500].map((height) => versionAt(chain.state, height)),
    [1, 1, 2],
  );
});

test('a deciding vote that comes too late for its activation height is refused', () => {
  const consortium = new Consortium(4);
  const change: Change = { kind: 'activate-version', version: 2, height: MIN_ACTIVATION_BLOCKS + 2 };
  const id = proposalIdOf(consortium.org(0).id, { lastHeight: 50, change });
  assert.equal(consortium.propose(consortium.org(0), change, 50), 'ok');
  assert.equal(consortium.vote(consortium.org(1), id), 'ok');
  assert.equal(consortium.vote(consortium.org(2), id), 'activation-too-soon');
  assert.equal(versionAt(consortium.chain.state, 5000), 1);
});
