/** What a removed or suspended organisation and its people had open at a node over HTTP ends with the block that decided it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import {
  type Change,
  encodeOpenProposal,
  encodeRegistration,
  encodeVoteOnProposal,
  proposalIdOf,
  provePossession,
} from '../src/contracts/index.ts';
import { setSuspended } from '../src/node/admin/parties.ts';
import { createKey, type KeyFile } from '../src/node/index.ts';
import { type AccountSigner, createAccountSigner } from '../src/node/ledger/account-signer.ts';
import { fromHex } from '../src/shared/index.ts';
import { sessionToken, startTestNode, type TestNode } from './node-fixture.ts';

const PATHS = ['Patient/ana', 'Observation?patient=ana', 'Patient/ana/_history', 'Condition?patient=ana'];

let node: TestNode;
let clinic: Organisation;
const voters: Organisation[] = [];
before(async () => {
  node = await startTestNode();
  for (const name of ['one', 'two']) voters.push(await admit(name));
});
after(() => node.close());
beforeEach(async () => {
  clinic = await admit('clinic');
});

interface Organisation {
  key: KeyFile;
  signer: AccountSigner;
  clinician: KeyFile;
  device: KeyFile;
}

const idOf = (key: KeyFile): Uint8Array => fromHex(key.accountId) as Uint8Array;

function registration(key: KeyFile, by: Uint8Array, role: 'hospital' | 'physician' | 'medical-device') {
  const { chainId } = node.node.runtime;
  const publicKey = fromHex(key.publicKey) as Uint8Array;
  const possessionProof = provePossession(chainId, by, publicKey, key.seed);
  return { publicKey, possessionProof, roles: [role] } as const;
}

/** Proposed by the hospital; every member but the last one that is named votes yes, and then that one, whose vote decides. */
async function decide(change: Change, ...others: readonly Organisation[]): Promise<() => Promise<unknown>> {
  const { engine, custodian } = node.node.runtime;
  const draft = { lastHeight: engine.head().height + 100, change };
  const propose = () => custodian.submit('open-proposal', [encodeOpenProposal(draft)]);
  const vote = ({ signer }: Organisation) =>
    signer.submit('vote-on-proposal', [
      encodeVoteOnProposal({ proposalId: proposalIdOf(custodian.accountId, draft), isYes: true }),
    ]);
  const last = others.at(-1);
  if (last === undefined) return propose;
  await propose();
  for (const one of others.slice(0, -1)) await vote(one);
  return () => vote(last);
}

/** Another member, with a clinician and a device of its own. */
async function admit(name: string): Promise<Organisation> {
  const { engine, chainId, custodian } = node.node.runtime;
  const [key, clinician, device] = ['', ' clinician', ' device'].map((what) => createKey(name + what)) as [
    KeyFile,
    KeyFile,
    KeyFile,
  ];
  const change = {
    kind: 'admit-organisation',
    registration: registration(key, custodian.accountId, 'hospital'),
  } as const;
  await (await decide(change, ...voters))();
  const signer = createAccountSigner({ engine, chainId, seed: key.seed });
  const people = [
    ['register-practitioner', clinician, 'physician'],
    ['register-device', device, 'medical-device'],
  ] as const;
  for (const [action, one, role] of people)
    await signer.submit(action, [encodeRegistration(registration(one, idOf(key), role))]);
  return { key, signer, clinician, device };
}

async function statusesOf(at: TestNode, tokens: readonly string[]): Promise<number[]> {
  const asked = tokens.flatMap((token) => PATHS.map((path) => at.fhir(path, token)));
  return (await Promise.all(asked)).map(({ status }) => status);
}

/** Everything that the parties have open is refused, and nothing new is opened. */
async function hasEnded(
  at: TestNode,
  tokens: readonly string[],
  parties: readonly KeyFile[],
  purpose = 'TREAT',
): Promise<void> {
  assert.deepEqual(new Set(await statusesOf(at, tokens)), new Set([401]));
  for (const key of parties)
    await assert.rejects(sessionToken(at.url, key, purpose), /refused|suspended|active/i);
}

describe('open sessions', () => {
  test('of a removed organisation, its clinicians and devices end with the block of the vote that removed it', async () => {
    const parties = [clinic.key, clinic.clinician, clinic.device];
    const tokens = await Promise.all(parties.map((key) => sessionToken(node.url, key, 'TREAT')));
    const others = await Promise.all(
      [voters[0]?.clinician as KeyFile].map((key) => sessionToken(node.url, key, 'TREAT')),
    );
    const decisive = await decide({ kind: 'remove-organisation', organisation: idOf(clinic.key) }, ...voters);
    assert.ok(!(await statusesOf(node, tokens)).includes(401), 'a proposal alone ends nothing');
    await decisive();
    await hasEnded(node, tokens, parties);
    assert.ok(!(await statusesOf(node, others)).includes(401), 'another organisation goes on');

    // Admitted again, it begins anew: what was open stays closed.
    const { custodian } = node.node.runtime;
    const again = registration(clinic.key, custodian.accountId, 'hospital');
    await (await decide({ kind: 'admit-organisation', registration: again }, ...voters))();
    assert.deepEqual(new Set(await statusesOf(node, tokens)), new Set([401]));
    await sessionToken(node.url, clinic.clinician, 'TREAT');
    await (await decide({ kind: 'remove-organisation', organisation: idOf(clinic.key) }, ...voters))();
  });

  test('of a suspended clinician end alone', async () => {
    const open = (key: KeyFile) => sessionToken(node.url, key, 'TREAT');
    const [organisation, clinician, device] = await Promise.all(
      [clinic.key, clinic.clinician, clinic.device].map(open),
    );
    await setSuspended(clinic.signer, clinic.clinician.accountId, true);
    await hasEnded(node, [String(clinician)], [clinic.clinician]);
    assert.ok(!(await statusesOf(node, [String(organisation), String(device)])).includes(401));
  });

  test('of a suspended organisation and of its people end, where one organisation decides', async () => {
    const alone = await startTestNode();
    try {
      const parties = [alone.demoKey('institute'), alone.demoKey('researcher')];
      const tokens = await Promise.all(parties.map((key) => sessionToken(alone.url, key, 'HRESCH')));
      const insurer = await alone.token('insurer', 'HPAYMT');
      await setSuspended(alone.node.runtime.custodian, alone.demoKey('institute').accountId, true);
      await hasEnded(alone, tokens, parties, 'HRESCH');
      assert.ok(!(await statusesOf(alone, [insurer])).includes(401), 'another organisation goes on');
    } finally {
      await alone.close();
    }
  });
});
