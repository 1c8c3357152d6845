import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CheckTxType } from 'cosmjs-types/tendermint/abci/types';
import {
  encodeOpenProposal,
  encodeSuspension,
  encodeVoteOnProposal,
  MAX_BATCH_ENTRIES,
  proposalIdOf,
} from '../../contracts/index.ts';
import { HEADER_BYTES, type ResultName, resultName } from '../../ledger/index.ts';
import {
  consentGrant,
  enrolment,
  FAR_AHEAD,
  type SampleChain,
  type SampleSigner,
  sampleBytes,
  sampleSigner,
  signedAction,
} from '../sample-chain.ts';
import { openCometBftEngine } from './cometbft-engine.ts';
import { AbciClient } from './testing/abci-client.ts';
import { largeTransaction } from './testing/large-transaction.ts';
import { PlayedConsensus } from './testing/played-consensus.ts';
import {
  accessAnchor,
  consentRevocation,
  deviceRegistration,
  twoOrganisations,
} from './testing/two-organisations.ts';
import { VerifiedSignatures } from './verified-signatures.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-mempool-'));
after(() => rmSync(root, { recursive: true, force: true }));

type Setting = {
  readonly consensus: PlayedConsensus;
  readonly chain: SampleChain;
  readonly other: SampleChain;
  readonly patient: SampleSigner;
  /** What CheckTx says of each, in this order. */
  readonly ask: (...transactions: Uint8Array[]) => Promise<(ResultName | undefined)[]>;
  /** The same, in the words of the answer. */
  readonly told: (transactions: readonly Uint8Array[], type?: CheckTxType) => Promise<(string | undefined)[]>;
};

/** A chain of two members with one patient, whose transactions wait in the mempool. */
async function withPatient(body: (setting: Setting) => Promise<void>): Promise<void> {
  const { chain, other } = twoOrganisations();
  const folder = mkdtempSync(join(root, 'node-'));
  const { genesis, operatorSeed: nodeSeed } = chain;
  const log = (): void => undefined;
  const rpcUrl = 'http://127.0.0.1:1';
  const engine = await openCometBftEngine({ folder, genesis, nodeSeed, rpcUrl, log, verifyWorkers: 0 });
  const consensus = new PlayedConsensus(await AbciClient.open(join(folder, 'abci.sock')), chain);
  try {
    await consensus.initChain();
    const patient = sampleSigner(1, 'patient');
    await consensus.block([enrolment(chain, patient)]);
    const ask: Setting['ask'] = async (...transactions) =>
      (await Promise.all(transactions.map((bytes) => consensus.checkTx(bytes)))).map((code) =>
        resultName(code ?? -1),
      );
    const told: Setting['told'] = (transactions, type = CheckTxType.NEW) =>
      Promise.all(
        transactions.map(async (tx) => (await consensus.client.ask({ checkTx: { tx, type } })).checkTx?.log),
      );
    await body({ consensus, chain, other, patient, ask, told });
  } finally {
    consensus.client.close();
    await engine.close();
  }
}

describe('what waits in the mempool, asked about again after a block', () => {
  test('stays while it may enter the next one, however often it is asked about', () =>
    withPatient(async ({ consensus, chain, patient, ask }) => {
      const grants = [1, 2, 3].map(() => consentGrant(chain, patient)) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      const [first, ...rest] = grants;
      assert.deepEqual(await ask(...grants, ...grants), Array(6).fill('ok'));
      await consensus.block([first]);
      assert.deepEqual(await ask(...rest, ...rest), Array(4).fill('ok'));
      await consensus.block([]);
      assert.deepEqual(await ask(...rest), ['ok', 'ok']);
      assert.deepEqual(await ask(first), ['sequence-replayed']);
    }));

  test('leaves when its signer is suspended', () =>
    withPatient(async ({ consensus, chain, patient, ask }) => {
      const grants = [consentGrant(chain, patient), consentGrant(chain, patient)];
      assert.deepEqual(await ask(...grants), ['ok', 'ok']);
      const payload = encodeSuspension({ accountId: patient.accountId });
      await consensus.block([signedAction(chain, chain.custodian, 'suspend-party', [payload])]);
      assert.deepEqual(await ask(...grants), ['suspended-signer', 'suspended-signer']);
    }));

  test('leaves when the organisation that its signer acts for is removed; a patient’s stays', () =>
    withPatient(async ({ consensus, chain, other, ask }) => {
      const [device, patient] = [sampleSigner(1, 'device'), sampleSigner(1, 'its patient')];
      await consensus.block([deviceRegistration(other, 1, 'device'), enrolment(other, patient)]);
      const waiting = [device, patient].map((one) =>
        consentRevocation(chain, one, sampleBytes(1, 'consent')),
      );
      assert.deepEqual(await ask(...waiting), ['ok', 'ok']);
      const change = { kind: 'remove-organisation', organisation: other.custodian.accountId } as const;
      const draft = { lastHeight: 50, change };
      const proposalId = proposalIdOf(chain.custodian.accountId, draft);
      await consensus.block([
        signedAction(chain, chain.custodian, 'open-proposal', [encodeOpenProposal(draft)]),
        signedAction(chain, other.custodian, 'vote-on-proposal', [
          encodeVoteOnProposal({ proposalId, isYes: true }),
        ]),
      ]);
      assert.deepEqual(await ask(...waiting), ['suspended-signer', 'ok']);
    }));

  test('leaves when the last height that it is valid at has passed', () =>
    withPatient(async ({ consensus, chain, patient, ask }) => {
      // Block 2 is the last that the grant may stand in.
      const payload = encodeSuspension({ accountId: patient.accountId });
      const expiring = signedAction(chain, patient, 'suspend-party', [payload], 2 - FAR_AHEAD);
      assert.deepEqual(await ask(expiring), ['ok']);
      await consensus.block([enrolment(chain, sampleSigner(1, 'another'))]);
      assert.deepEqual(await ask(expiring), ['expired']);
    }));

  test('leaves when another with its number was decided, and so does what is behind it', () =>
    withPatient(async ({ consensus, chain, patient, ask }) => {
      const another = consentGrant(chain, { ...patient }, 2);
      const [waiting, behind] = [consentGrant(chain, patient), consentGrant(chain, patient)];
      assert.deepEqual(await ask(waiting, behind), ['ok', 'ok']);
      await consensus.block([another]);
      assert.deepEqual(await ask(waiting, behind), ['sequence-replayed', 'ok']);
      await consensus.block([behind]);
      assert.deepEqual(await ask(waiting, behind), ['sequence-replayed', 'sequence-replayed']);
    }));

  test('comes back without a signature being checked where it was decided, expired, or is of another chain', (t) =>
    withPatient(async ({ consensus, chain, patient, ask }) => {
      const grants = [1, 2].map(() => consentGrant(chain, patient));
      await consensus.block(grants);
      const payload = encodeSuspension({ accountId: patient.accountId });
      const hopeless = [
        signedAction(chain, patient, 'suspend-party', [payload], 1 - FAR_AHEAD),
        consentGrant({ ...chain, chainId: sampleBytes(1, 'another chain') }, patient),
        ...grants,
      ].map((bytes) => bytes.with(HEADER_BYTES, (bytes[HEADER_BYTES] as number) ^ 1));
      const { mock } = t.mock.method(VerifiedSignatures.prototype, 'verifyLater');
      const codes = ['expired', 'wrong-chain', 'sequence-replayed', 'sequence-replayed'];
      assert.deepEqual(await ask(...hopeless), codes);
      assert.equal(mock.callCount(), 0);
    }));

  test('does not speak for other bytes under its signature', () =>
    withPatient(async ({ consensus, chain, patient, ask }) => {
      const waiting = consentGrant(chain, patient);
      const changed = waiting.map((byte, index) => (index === waiting.length - 1 ? byte ^ 1 : byte));
      const longer = Uint8Array.of(...waiting, 0);
      assert.deepEqual(await ask(waiting, changed, longer), [
        'ok',
        'malformed-transaction',
        'malformed-transaction',
      ]);
      await consensus.block([]);
      assert.deepEqual(await ask(changed, longer, waiting), [
        'malformed-transaction',
        'malformed-transaction',
        'ok',
      ]);
    }));
});

const RECHECK = CheckTxType.RECHECK;
const isOk = (verdict: string | undefined): boolean => verdict === 'ok';

describe('how much may wait', () => {
  test('of one signer is limited, until a block makes room; what waits already may stay', () =>
    withPatient(async ({ consensus, chain, patient, told }) => {
      const other = sampleSigner(1, 'another');
      await consensus.block([enrolment(chain, other)]);
      const grants = Array.from({ length: 258 }, () => consentGrant(chain, patient));
      const [first, ...behind] = grants.slice(0, 256) as [Uint8Array, ...Uint8Array[]];
      const beyond = grants.slice(256) as [Uint8Array, Uint8Array];
      assert((await told([first, ...behind])).every(isOk));
      assert.deepEqual(await told(beyond), ['busy', 'busy']);
      assert.deepEqual(await told([consentGrant(chain, other), first]), ['ok', 'ok']);
      await consensus.block([first]);
      assert((await told(behind, RECHECK)).every(isOk));
      assert.deepEqual(await told(beyond), ['ok', 'busy']);
      assert.deepEqual(await told(beyond.slice(1), RECHECK), ['ok']);
    }));

  test('of one group is limited, and leaves the others of its organisation, its revocations and other organisations their share', () =>
    withPatient(async ({ consensus, chain, other, patient, told }) => {
      const signers = Array.from({ length: 7 }, (_, at) => sampleSigner(1, `signer ${at}`));
      const [filler, late] = [sampleSigner(1, 'filler'), sampleSigner(1, 'late')];
      await consensus.block([...signers, filler, late].map((signer) => enrolment(chain, signer)));
      const large = signers.flatMap((signer) =>
        Array.from({ length: 5 }, () => largeTransaction(chain, signer)),
      );
      assert((await told(large)).includes('busy'));
      // Each is as long as fits beside what waits, until the shortest finds no room.
      for (let size = MAX_BATCH_ENTRIES; size > 0; size = Math.floor(size / 2)) {
        const next = { ...filler };
        for (; isOk((await told([largeTransaction(chain, next, size)]))[0]); ) filler.nextSequence += 1;
      }
      const grant = consentGrant(chain, { ...late });
      assert.deepEqual(await told([grant]), ['busy']);
      const revocations = [late, patient].map((one) =>
        consentRevocation(chain, { ...one }, sampleBytes(1, 'consent')),
      );
      assert.deepEqual(await told(revocations), ['ok', 'ok']);
      assert.deepEqual(await told([accessAnchor(chain), accessAnchor(other)]), ['ok', 'ok']);
      assert.deepEqual(await told([largeTransaction(chain, other.custodian)]), ['ok']);
      await consensus.block([]);
      assert.deepEqual(await told([grant]), ['ok']);
    }));
});
