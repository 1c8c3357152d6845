import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { admit, decodeTransaction, RESULT_CODES, readAccount } from '../ledger/index.ts';
import { sha256 } from '../shared/index.ts';
import { encodeGrantConsent, encodeRevokeConsent } from './index.ts';
import { type Actor, actor, TestChain } from './testing/test-chain.ts';

const patient = actor(10);
const strangers = [patient, actor(11)];

type Attempt = {
  by: Actor;
  id: number;
  isGrant: boolean;
  sequence: number;
  lastValidHeight: number;
  isOurChain: boolean;
  cut: number;
  flip: number;
};

const attempt: fc.Arbitrary<Attempt> = fc.record({
  by: fc.constantFrom(patient, patient, patient, ...strangers),
  id: fc.nat(2),
  isGrant: fc.boolean(),
  sequence: fc.nat(3),
  lastValidHeight: fc.constantFrom(0, 2, 5, 100, 200_000),
  isOurChain: fc.constantFrom(true, true, true, false),
  cut: fc.constantFrom(0, 0, 0, 1),
  flip: fc.constantFrom(-1, -1, -1, 0, 40, 116, 150),
});

function transactionOf(chain: TestChain, wanted: Attempt): Uint8Array {
  const consentId = sha256(Uint8Array.of(wanted.id));
  const payload = wanted.isGrant
    ? encodeGrantConsent({
        consentId,
        patient: patient.id,
        custodian: chain.hospital.id,
        validFromMs: 0,
        validUntilMs: 9,
        termsCommitment: consentId,
      })
    : encodeRevokeConsent({ consentId, expectedVersion: 1 });
  const bytes = chain.sign(
    wanted.by,
    wanted.isGrant ? 'grant-consent' : 'revoke-consent',
    payload.slice(wanted.cut),
    {
      sequence: wanted.sequence,
      lastValidHeight: wanted.lastValidHeight,
      chainId: wanted.isOurChain ? chain.chainId : new Uint8Array(32),
    },
  );
  if (wanted.flip >= 0) bytes[wanted.flip] = (bytes[wanted.flip] as number) ^ 1;
  return bytes;
}

/** The code that admission gives for the next height, before anything is executed. */
function admissionCode(chain: TestChain, bytes: Uint8Array): number {
  const transaction = decodeTransaction(bytes);
  if (!transaction.ok) return RESULT_CODES['malformed-transaction'];
  return admit(chain.state, chain.height + 1, transaction.value, chain.rules()).code;
}

test('what admission refuses, a block refuses with the same code and no effect; what it lets in uses up one sequence number', () => {
  fc.assert(
    fc.property(fc.array(attempt, { minLength: 1, maxLength: 8 }), (attempts) => {
      const chain = new TestChain();
      chain.register(chain.hospital, 'enrol-patient', patient);
      for (const wanted of attempts) {
        const bytes = transactionOf(chain, wanted);
        const expected = admissionCode(chain, bytes);
        const [root, next] = [chain.tree.root, readAccount(chain.state, patient.id)?.nextSequence ?? 0];
        const [result] = chain.executeForOutput(bytes).results;
        const isAdmitted = expected === RESULT_CODES.ok;
        if (!isAdmitted) assert.equal(result?.code, expected);
        assert.equal(isAdmitted, !Buffer.from(root).equals(chain.tree.root));
        assert.equal(readAccount(chain.state, patient.id)?.nextSequence, isAdmitted ? next + 1 : next);
      }
    }),
    { seed: 5, numRuns: 60 },
  );
});

test('one block and one block for each transaction give the same results, unless height or time is asked', () => {
  const [together, apart] = [new TestChain(), new TestChain()];
  for (const chain of [together, apart]) chain.register(chain.hospital, 'enrol-patient', patient);
  const transactions = [0, 1, 2].map((sequence) =>
    transactionOf(together, {
      by: patient,
      id: 0,
      isGrant: sequence !== 1,
      sequence,
      lastValidHeight: 100,
      isOurChain: true,
      cut: 0,
      flip: -1,
    }),
  );
  const results = together.execute(...transactions);
  assert.deepEqual(results, ['ok', 'ok', 'consent-exists']);
  assert.deepEqual(
    transactions.map((bytes) => apart.execute(bytes)[0]),
    results,
  );
});
