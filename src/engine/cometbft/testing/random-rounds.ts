import { encodeRevokeConsent } from '../../../contracts/index.ts';
import { HEADER_BYTES } from '../../../ledger/index.ts';
import { AppError } from '../../../shared/index.ts';
import type { Committed, Engine } from '../../engine.ts';
import { seededRandom } from '../../power-loss-storage.ts';
import {
  consentGrant,
  enrolment,
  type SampleChain,
  type SampleSigner,
  sampleBytes,
  sampleSigner,
  signedAction,
} from '../../sample-chain.ts';
import { TransactionRefusedError } from '../../transaction-refused.ts';

const ACTIVE_PATIENTS = 20;

/**
 * Random transactions in rounds, valid ones and not. What becomes of each follows from the rounds before it and not from the
 * order within its own, so that every engine must say the same of it. The embedded engine makes one block of a round.
 */
export function randomRounds(chain: SampleChain, rounds: number, size: number, seed: number): Uint8Array[][] {
  const random = seededRandom(seed);
  const patients = Array.from({ length: ACTIVE_PATIENTS }, (_, at) => sampleSigner(seed, `patient ${at}`));
  const idle = sampleSigner(seed, 'idle');
  const first = [...patients, idle].map((patient) => enrolment(chain, patient));
  const second = [consentGrant(chain, idle, seed)];
  const replayed = second[0] as Uint8Array;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const round = (): Uint8Array[] => {
    const kinds = Array.from({ length: size }, () => random());
    return kinds.map((kind, at) => {
      if (kind < 0.55) return consentGrant(chain, pick(patients), seed);
      if (kind < 0.7) return revocation(chain, pick(patients), seed, random);
      return faulty(chain, idle, replayed, seed, Math.floor(random() * 8), at);
    });
  };
  return [first, second, ...Array.from({ length: rounds }, round)];
}

/** Of a consent that the patient may have granted before, or not. */
function revocation(
  chain: SampleChain,
  patient: SampleSigner,
  seed: number,
  random: () => number,
): Uint8Array {
  const number = Math.floor(random() * (patient.nextSequence + 1));
  const consentId = sampleBytes(seed, `consent ${number} ${Buffer.from(patient.accountId).toString('hex')}`);
  return signedAction(chain, patient, 'revoke-consent', [
    encodeRevokeConsent({ consentId, expectedVersion: 1 }),
  ]);
}

/** A transaction that may not enter a block, each kind for another reason. Its signer's number never moves. */
function faulty(
  chain: SampleChain,
  idle: SampleSigner,
  replayed: Uint8Array,
  seed: number,
  kind: number,
  at: number,
): Uint8Array {
  const signer = { ...idle };
  if (kind === 0) return replayed;
  if (kind === 1) return consentGrant(chain, { ...signer, nextSequence: idle.nextSequence + 1 + at }, seed);
  if (kind === 2) return consentGrant(chain, sampleSigner(seed, `stranger ${at}`), seed);
  if (kind === 3) return consentGrant({ ...chain, chainId: sampleBytes(seed, 'other chain') }, signer, seed);
  if (kind === 4) return sampleBytes(seed, `noise ${at}`);
  if (kind === 5) return consentGrant(chain, { ...idle, nextSequence: 0 }, seed + 1 + at);
  const valid = consentGrant(chain, signer, seed);
  if (kind === 6) return valid.map((byte, index) => (index === HEADER_BYTES ? byte ^ 1 : byte));
  return signedAction(chain, signer, 'grant-consent', [sampleBytes(seed, 'late')], -50_000);
}

/** What an engine said of a transaction. */
export async function outcomeOf(submitted: Promise<Committed>): Promise<string> {
  try {
    return `recorded ${(await submitted).code}`;
  } catch (error) {
    if (error instanceof TransactionRefusedError) return `refused ${error.resultName}`;
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

/** Submits the rounds one after another, every transaction of a round at once, and gives what was said of each. */
export async function submitRounds(
  engines: readonly Engine[],
  rounds: readonly Uint8Array[][],
): Promise<string[]> {
  const outcomes: string[] = [];
  for (const [index, round] of rounds.entries()) {
    const engine = engines[index % engines.length] as Engine;
    outcomes.push(...(await Promise.all(round.map((bytes) => outcomeOf(engine.submit(bytes))))));
  }
  return outcomes;
}
