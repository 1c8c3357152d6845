/**
 * Records vectors/governance.json: a consortium of four whose members decide about organisations, validators and the version
 * of the rules. To be run after a change of the protocol only, as record-chain-vectors.ts.
 *
 *     node scripts/record-governance-vectors.ts
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ActionName,
  type Change,
  encodeGrantConsent,
  encodeOpenProposal,
  encodeRegistration,
  encodeRotateKey,
  encodeVoteOnProposal,
  encodeWithdrawProposal,
  proposalIdOf,
  provePossession,
  readMembers,
  readValidators,
  validatorUpdatesOf,
} from '../src/contracts/index.ts';
import { type Actor, actor, TestChain } from '../src/contracts/testing/test-chain.ts';
import { appHash, encodeGenesis, resultName, type StateWrite } from '../src/ledger/index.ts';
import { compareBytes, toHex } from '../src/shared/index.ts';

const orgs = [20, 21, 22, 23].map(actor);
const clinic = actor(24);
const [a, b, c, d] = orgs as [Actor, Actor, Actor, Actor];
const consensusKeys = [120, 121, 122, 123, 124].map((byte) => actor(byte).publicKey);
const chain = new TestChain({
  networkName: 'governance',
  organisationKeys: orgs.map(({ publicKey }) => publicKey),
  validators: orgs.map((_, organisation) => ({
    consensusKey: consensusKeys[organisation] as Uint8Array,
    organisation,
    power: 10,
  })),
});
const genesisStateRoot = toHex(chain.tree.root);
const sequences = new Map<Actor, number>();
const steps: unknown[] = [];

function step(by: Actor, action: ActionName, payload: Uint8Array, why: string): void {
  const sequence = sequences.get(by) ?? 0;
  sequences.set(by, sequence + 1);
  const transaction = chain.sign(by, action, payload, { sequence });
  const values = new Map([...chain.tree.keys()].map((key) => [toHex(key), chain.state.get(key)]));
  const before = { get: (key: Uint8Array) => values.get(toHex(key)) };
  const { results, stateWrites } = chain.executeForOutput(transaction);
  const code = results[0]?.code ?? 1;
  steps.push({
    why,
    action,
    transaction: toHex(transaction),
    result: resultName(code),
    code,
    height: chain.height,
    timeMs: chain.timeMs,
    ...rootsNow(before, stateWrites),
  });
}

function rootsNow(before: { get(key: Uint8Array): Uint8Array | undefined }, writes: readonly StateWrite[]) {
  const roots = { logSize: chain.log.size, logRoot: chain.log.root(), stateRoot: chain.tree.root };
  const updates = validatorUpdatesOf(before, writes);
  return {
    validatorUpdates: updates.map(({ consensusKey, power }) => ({
      consensusKey: toHex(consensusKey),
      power,
    })),
    stateRoot: toHex(roots.stateRoot),
    appHash: toHex(appHash({ height: chain.height, ...roots })),
  };
}

function open(by: Actor, change: Change, why: string, lastHeight = 60): Uint8Array {
  step(by, 'open-proposal', encodeOpenProposal({ lastHeight, change }), why);
  return proposalIdOf(by.id, { lastHeight, change });
}

const vote = (by: Actor, proposalId: Uint8Array, isYes: boolean, why: string): void =>
  step(by, 'vote-on-proposal', encodeVoteOnProposal({ proposalId, isYes }), why);

function validators(...changes: [key: number, by: Actor, power: number][]): Change {
  const listed = changes.map(([key, { id }, power]) => ({
    consensusKey: consensusKeys[key] as Uint8Array,
    organisation: id,
    power,
  }));
  return {
    kind: 'set-validators',
    validators: listed.sort((left, right) => compareBytes(left.consensusKey, right.consensusKey)),
  };
}

function registrationOf({ publicKey, seed }: Actor, by: Actor): Uint8Array {
  const possessionProof = provePossession(chain.chainId, by.id, publicKey, seed);
  return encodeRegistration({ publicKey, possessionProof, roles: [] });
}

const possessionProof = provePossession(chain.chainId, a.id, clinic.publicKey, clinic.seed);
const admission: Change = {
  kind: 'admit-organisation',
  registration: { publicKey: clinic.publicKey, possessionProof, roles: ['hospital'] },
};
const admitted = open(a, admission, 'the first vote for a clinic is that of who proposes it');
open(a, admission, 'it has proposed the same already', 61);
vote(b, admitted, true, 'two of four');
vote(b, admitted, true, 'nobody votes twice');
vote(c, admitted, false, 'a no');
open(a, { kind: 'remove-organisation', organisation: d.id }, 'three validators would be left');
vote(d, admitted, true, 'three of four: it is a member');
vote(clinic, admitted, true, 'what is decided is closed');
const weighed = open(
  clinic,
  validators([4, clinic, 5], [0, a, 9]),
  'a validator for the clinic, and less weight for another',
);
for (const by of [a, b]) vote(by, weighed, true, 'three of five at most');
vote(c, weighed, true, 'four of five: the validators change');
open(a, validators([1, b, 20]), 'a third of the power for one');
const [device, patient] = [actor(30), actor(31)];
const registrations = [
  ['register-device', device, 'a device of one that is to be removed'],
  ['enrol-patient', patient, 'and a patient'],
] as const;
for (const [action, who, why] of registrations) step(d, action, registrationOf(who, d), why);
const removed = open(a, { kind: 'remove-organisation', organisation: d.id }, 'four are left now');
for (const by of [b, c, d]) vote(by, removed, true, 'the fourth yes removes it');
step(
  d,
  'open-proposal',
  encodeOpenProposal({ lastHeight: 60, change: validators([0, a, 8]) }),
  'a removed organisation signs nothing',
);
const newKey = provePossession(chain.chainId, device.id, device.publicKey, device.seed);
step(
  device,
  'rotate-key',
  encodeRotateKey({ newKey: device.publicKey, possessionProof: newKey }),
  'nor does its device',
);
step(
  patient,
  'grant-consent',
  encodeGrantConsent({
    consentId: actor(32).id,
    patient: patient.id,
    custodian: d.id,
    validFromMs: 1_000,
    validUntilMs: 2_000,
    termsCommitment: actor(33).id,
  }),
  'its patient does',
);
const upgrade = open(
  a,
  { kind: 'activate-version', version: 2, height: 500 },
  'other rules from block 500 on',
);
const equal = open(b, { kind: 'activate-version', version: 2, height: 500 }, 'the same, of another', 61);
vote(c, equal, true, 'two of four for the other');
vote(b, upgrade, true, 'two of four');
vote(c, upgrade, true, 'three of four');
vote(a, equal, true, 'what was equal ended with it');
open(b, { kind: 'activate-version', version: 2, height: 30 }, 'too soon');
const unwanted = open(b, { kind: 'activate-version', version: 3, height: 900 }, 'to be taken back');
step(b, 'withdraw-proposal', encodeWithdrawProposal({ proposalId: unwanted }), 'taken back');
open(b, { kind: 'activate-version', version: 3, height: 900 }, 'an id is used once');
open(a, { kind: 'activate-version', version: 3, height: 900 }, 'another has another id');

const file = join(import.meta.dirname, '../vectors/governance.json');
const vectors = {
  about:
    'A consortium of four: each step is a block with one transaction. See docs/protocol.md, "6 governance".',
  genesis: toHex(encodeGenesis(chain.genesis)),
  chainId: toHex(chain.chainId),
  genesisStateRoot,
  steps,
  members: readMembers(chain.state).map(toHex),
  validators: readValidators(chain.state).map(({ consensusKey, organisation, power }) => ({
    consensusKey: toHex(consensusKey),
    organisation: toHex(organisation),
    power,
  })),
};
writeFileSync(file, `${JSON.stringify(vectors, null, 2)}\n`);
