/** Signed consent transactions, durable before each acknowledgement, against what the cores can verify and what PostgreSQL can commit. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Engine, openEmbeddedEngine } from '../src/engine/index.ts';
import {
  consentGrant,
  enrolment,
  type SampleChain,
  type SampleSigner,
  sampleChain,
  sampleSigner,
} from '../src/engine/sample-chain.ts';
import { type BenchCase, costCase, median, rateCase } from './bench-case.ts';
import { withPostgres } from './postgres-commits.ts';

type Options = {
  readonly seconds: number;
  readonly seed: number;
  readonly rounds?: number;
  readonly progress?: (line: string) => void;
};
type Load = { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number };

const PATIENTS = 500;
const IN_FLIGHT = 64;
const P99_LIMIT_MS = 10;
const WARM_UP = 4000;
/** Signed ahead, so that the load generator only submits; more than any run here can use. */
const TRANSACTIONS_PER_SECOND = 16_000;

/** Each round measures every contender in turn, so that a busy moment of the machine meets all of them. */
export async function run({
  seconds,
  seed,
  rounds = 1,
  progress = () => undefined,
}: Options): Promise<BenchCase[]> {
  const loads: Load[] = [];
  const verified: number[] = [];
  const committed: number[] = [];
  await withPostgres(async (postgres) => {
    for (let round = 0; round < rounds; round++) {
      verified.push(await verifyRate(seconds));
      loads.push(await consentLoad(seconds, seed + round));
      if (postgres !== undefined) committed.push(await postgres.commitsPerSecond(seconds));
      const load = loads.at(-1) as Load;
      progress(
        `   ${load.perSecond.toFixed(0)} consents/s, p50 ${load.p50Ms.toFixed(1)} ms, p99 ${load.p99Ms.toFixed(1)} ms; ${verified.at(-1)?.toFixed(0)} verifications/s; ${committed.at(-1)?.toFixed(0) ?? 'no PostgreSQL'} commits/s`,
      );
    }
  }, progress);
  const ours = loads.map(({ perSecond }) => perSecond);
  const cases = [
    rateCase('consents vs. verification on all cores', 'tx/s', ours, verified, 0.5),
    costCase(
      'p99 of a consent at that load',
      'ms',
      loads.map(({ p99Ms }) => p99Ms),
      [P99_LIMIT_MS],
      1,
    ),
  ];
  return median(committed.length > 0 ? committed : [0]) > 0
    ? [...cases, rateCase('consents vs. PostgreSQL commits, 32 connections', 'tx/s', ours, committed, 1)]
    : cases;
}

/** Verifications a second of all cores together, with nothing else to do. */
async function verifyRate(seconds: number): Promise<number> {
  const workers = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL('./verify-rate-worker.ts', import.meta.url), { workerData: seconds }),
  );
  const rates = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject)),
    ),
  );
  return rates.reduce((sum, rate) => sum + rate, 0);
}

async function consentLoad(seconds: number, seed: number): Promise<Load> {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-bench-'));
  const chain = sampleChain(seed);
  const engine = await openEmbeddedEngine({
    folder,
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now: Date.now,
  });
  try {
    const patients = Array.from({ length: PATIENTS }, (_, at) => sampleSigner(seed, `patient ${at}`));
    await Promise.all(patients.map((patient) => engine.submit(enrolment(chain, patient))));
    const transactions = signAhead(chain, patients, WARM_UP + Math.ceil(seconds * TRANSACTIONS_PER_SECOND));
    await submitAll(engine, transactions.slice(0, WARM_UP), Number.POSITIVE_INFINITY);
    return await submitAll(engine, transactions.slice(WARM_UP), seconds * 1000);
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function signAhead(chain: SampleChain, patients: readonly SampleSigner[], count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) =>
    consentGrant(chain, patients[at % patients.length] as SampleSigner),
  );
}

/** A closed loop: as many in flight as `IN_FLIGHT`, each followed by the next as soon as it is acknowledged. */
async function submitAll(
  engine: Engine,
  transactions: readonly Uint8Array[],
  limitMs: number,
): Promise<Load> {
  const latencies: number[] = [];
  const started = performance.now();
  let next = 0;
  const submitter = async (): Promise<void> => {
    while (next < transactions.length && performance.now() - started < limitMs) {
      const sent = performance.now();
      const { code } = await engine.submit(transactions[next++] as Uint8Array);
      if (code !== 0) throw new Error(`a consent was refused with ${code}`);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, submitter));
  const perSecond = (latencies.length / (performance.now() - started)) * 1000;
  latencies.sort((a, b) => a - b);
  const quantile = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] as number;
  return { perSecond, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
