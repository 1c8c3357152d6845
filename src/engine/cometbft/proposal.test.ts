import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, mock, test } from 'node:test';
import fc from 'fast-check';
import { encodeOpenProposal, encodeRotateKey, provePossession } from '../../contracts/index.ts';
import { decodeTransaction } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import {
  consentGrant,
  enrolment,
  SAMPLE_TIME_MS,
  type SampleSigner,
  sampleBytes,
  sampleSigner,
  signedAction,
} from '../sample-chain.ts';
import { type CometBftEngine, openCometBftEngine } from './cometbft-engine.ts';
import { ConsensusChain } from './consensus-chain.ts';
import { AbciClient } from './testing/abci-client.ts';
import { largeTransaction } from './testing/large-transaction.ts';
import { PlayedConsensus } from './testing/played-consensus.ts';
import {
  accessAnchor,
  consentRevocation,
  deviceRegistration,
  twoOrganisations,
} from './testing/two-organisations.ts';

const ACCEPT = 1;
const DEVICES = 40;
/** What a block may have after blocks that tell nothing about the pace. */
const SMALLEST_BLOCK = 64;
const { chain, other } = twoOrganisations();
const devices = Array.from({ length: DEVICES }, (_, at) => sampleSigner(1, `device ${at}`));
/** Of the organisation whose devices flood, and of the other one; each has granted a consent. */
const [patient, elsewhere] = [sampleSigner(1, 'patient'), sampleSigner(1, 'patient elsewhere')];
const root = mkdtempSync(join(tmpdir(), 'careledger-proposal-'));
let engine: CometBftEngine;
let consensus: PlayedConsensus;

before(async () => {
  const { genesis, operatorSeed: nodeSeed } = chain;
  const log = (): void => undefined;
  const rpcUrl = 'http://127.0.0.1:1';
  engine = await openCometBftEngine({ folder: root, genesis, nodeSeed, rpcUrl, log, verifyWorkers: 0 });
  consensus = new PlayedConsensus(await AbciClient.open(join(root, 'abci.sock')), chain);
  await consensus.initChain();
  const registrations = devices.map((_, at) => deviceRegistration(other, 1, `device ${at}`));
  await consensus.block([...registrations, enrolment(other, patient), enrolment(chain, elsewhere)]);
  const grants = [consentGrant(other, patient), consentGrant(chain, elsewhere)];
  const { codes } = await consensus.block(grants);
  assert.deepEqual(codes, [0, 0]);
});
after(async () => {
  consensus.client.close();
  await engine.close();
  rmSync(root, { recursive: true, force: true });
});

/** Signers as they are now: what is signed for a proposal is in no block. */
const now = (signer: SampleSigner): SampleSigner => ({ ...signer });

/** Admission lets all of it in, and the contract nothing. */
function junkRevocations(each: number): Uint8Array[] {
  const signers = devices.map(now);
  return Array.from({ length: each }, (_, at) =>
    signers.map((device) => consentRevocation(chain, device, sampleBytes(at, 'no consent'))),
  ).flat();
}

function firstConsentOf(signer: SampleSigner): Uint8Array {
  return sampleBytes(1, `consent 0 ${toHex(signer.accountId)}`);
}

function holds(packed: readonly Uint8Array[], one: Uint8Array): boolean {
  return packed.some((bytes) => Buffer.compare(bytes, one) === 0);
}

test('a flood of one organisation keeps neither another’s anchor nor anybody’s revocation out of the next block', async () => {
  const flood = junkRevocations(20);
  const anchor = accessAnchor({ ...chain, custodian: now(chain.custodian) });
  const revocations = [patient, elsewhere].map((one) =>
    consentRevocation(chain, now(one), firstConsentOf(one)),
  );
  const grant = consentGrant(chain, { ...elsewhere, nextSequence: elsewhere.nextSequence + 1 });
  const packed = await consensus.prepare([...flood, anchor, ...revocations, grant]);
  assert.equal(packed.length, SMALLEST_BLOCK);
  for (const one of [anchor, ...revocations, grant]) assert(holds(packed, one));
  assert.equal(await consensus.process(packed), ACCEPT);
});

test('what a contract would refuse does not come first, and keeps its place among the others', async () => {
  const junk = devices.slice(0, 3).map((one) => consentRevocation(chain, now(one), sampleBytes(1, 'none')));
  const revocation = consentRevocation(chain, now(patient), firstConsentOf(patient));
  const anchor = accessAnchor({ ...chain, custodian: now(chain.custodian) });
  const packed = await consensus.prepare([anchor, ...junk, revocation]);
  assert.deepEqual(packed.map(toHex), [revocation, anchor, ...junk].map(toHex));
});

/** To the key that the signer has already: the contract lets it in with the proof, and not without. */
function rotation(name: string, signer: SampleSigner, isProven: boolean): Uint8Array {
  const { accountId, publicKey } = signer;
  const proof = provePossession(chain.chainId, accountId, publicKey, sampleBytes(1, name));
  const possessionProof = isProven ? proof : new Uint8Array(64);
  return signedAction(chain, signer, 'rotate-key', [encodeRotateKey({ newKey: publicKey, possessionProof })]);
}

/** What another member's devices send all the time. */
function ordinaryOfDevices(): Uint8Array[] {
  return devices.map((device) => consentGrant(other, now(device)));
}

test('rotations of one patient, however many, keep its custodian’s anchor out of no block while another member is busy', async () => {
  const rotating = now(elsewhere);
  const rotations = Array.from({ length: 256 }, () => rotation('patient elsewhere', rotating, true));
  const anchor = accessAnchor({ ...chain, custodian: now(chain.custodian) });
  const busy = ordinaryOfDevices();
  const packed = await consensus.prepare([anchor, ...rotations, ...busy]);
  assert(holds(packed, anchor) && holds(packed, rotations[0] as Uint8Array));
  assert(busy.filter((one) => holds(packed, one)).length >= 8);
  assert.equal(await consensus.process(packed), ACCEPT);
});

test('the largest transaction is in the next block, and what is urgent before it, also where blocks are small', async () => {
  const large = largeTransaction(chain, now(chain.custodian));
  const revocation = consentRevocation(chain, now(patient), firstConsentOf(patient));
  const busy = ordinaryOfDevices();
  const packed = await consensus.prepare([large, ...busy, revocation]);
  assert.deepEqual(packed.map(toHex), [revocation, large, ...busy].map(toHex));
  assert.equal(await consensus.process(packed), ACCEPT);
});

/** As many as there can be. */
function changeOfValidators(signer: SampleSigner): Uint8Array {
  const validators = Array.from({ length: 200 }, (_, at) => ({
    consensusKey: new Uint8Array(32).fill(at),
    organisation: signer.accountId,
    power: 1,
  }));
  const change = { kind: 'set-validators', validators } as const;
  return signedAction(chain, signer, 'open-proposal', [encodeOpenProposal({ lastHeight: 90, change })]);
}

test('rotations, refused or not, leave key checks for enrolments and for a change of all validators', async () => {
  // So soon after the last one that the pace allows more than there are key checks.
  const soon = SAMPLE_TIME_MS + consensus.height * 1000 + 1;
  for (const [isProven, member] of [
    [false, chain],
    [true, other],
  ] as const) {
    const device = now(devices[0] as SampleSigner);
    const custodian = now(member.custodian);
    const rotations = Array.from({ length: 256 }, () => rotation('device 0', device, isProven));
    const wanted = [
      enrolment({ ...member, custodian }, sampleSigner(2, 'newcomer')),
      changeOfValidators(custodian),
    ];
    const packed = await consensus.prepare([...rotations, ...wanted], 20_000_000, soon);
    for (const one of wanted) assert(holds(packed, one));
    assert.equal(await consensus.process(packed, soon), ACCEPT);
  }
});

/** What a signer sends next: a revocation in vain, a real one, a grant, or something that admission refuses. */
const kinds = fc.array(fc.tuple(fc.nat(5), fc.constantFrom('junk', 'revoke', 'grant', 'gap', 'noise')), {
  minLength: 70,
  maxLength: 120,
});

test('whatever waits, a proposal is accepted, has each signer’s in order, is the same each time, and is tried twice at most', async () => {
  const signing = [...devices.slice(0, 4), patient, elsewhere];
  await fc.assert(
    fc.asyncProperty(kinds, async (wanted) => {
      const signers = signing.map(now);
      const offered = wanted.map(([at, kind]) => {
        const signer = signers[at] as SampleSigner;
        if (kind === 'noise') return sampleBytes(at, 'noise');
        if (kind === 'grant') return consentGrant(at === 4 ? other : chain, signer);
        if (kind === 'gap') return consentGrant(chain, { ...signer, nextSequence: 1000 });
        const consent = kind === 'revoke' ? firstConsentOf(signer) : sampleBytes(at, 'none');
        return consentRevocation(chain, signer, consent);
      });
      const executing = mock.method(ConsensusChain.prototype, 'execute');
      const packed = await consensus.prepare(offered);
      assert(executing.mock.callCount() <= 2);
      executing.mock.restore();
      assert.equal(await consensus.process(packed), ACCEPT);
      assert.deepEqual((await consensus.prepare(offered)).map(toHex), packed.map(toHex));
      assert(packed.length <= SMALLEST_BLOCK && packed.length > 0);
      for (const { accountId, nextSequence } of signing) {
        const sequences = packed.map((bytes) => {
          const decoded = decodeTransaction(bytes);
          assert(decoded.ok);
          return decoded.value.header;
        });
        const own = sequences.filter(({ signer }) => Buffer.compare(signer, accountId) === 0);
        assert.deepEqual(
          own.map(({ sequence }) => sequence),
          own.map((_, index) => nextSequence + index),
        );
      }
    }),
    { numRuns: 12, seed: 1 },
  );
});
