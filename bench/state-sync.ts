/** How long a new node takes to join by a snapshot of a million record commitments, CometBFT's search for peers included, and the memory it takes. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeCommitVersions } from '../src/contracts/index.ts';
import { type LocalNetwork, startLocalNetwork } from '../src/engine/cometbft/testing/local-network.ts';
import { type Engine, findCometBft } from '../src/engine/index.ts';
import { enrolment, type SampleChain, sampleSigner, signedAction } from '../src/engine/sample-chain.ts';
import { encodeGenesis } from '../src/ledger/index.ts';
import { AppError, sha256, toHex } from '../src/shared/index.ts';
import { type BenchCase, type BenchOptions, costCase } from './bench-case.ts';
import type { JoinOrder, JoinReport } from './consortium/joiner.ts';

const COMMITMENTS = 1_000_000;
const GOAL_S = 60;
/** For the index, the tree, one chunk at a time and what the collector has not collected yet; the ledger here takes a hundred megabytes. */
const GOAL_MEGABYTES = 600;
const PATIENTS = 100;
const A_TRANSACTION = 100;
const UNDER_WAY = 250;
const TOLD_EVERY = 200_000;
/** What a busy machine answers now and then. */
const PASSING = new Set(['timeout', 'unavailable', 'busy']);
const RETRY_MS = 1000;
const PATIENCE_MS = 600_000;
const execute = promisify(execFile);

export async function run({ rounds, size = COMMITMENTS, progress }: BenchOptions): Promise<BenchCase[]> {
  const binary = await findCometBft({ log: progress });
  const folder = mkdtempSync(join(tmpdir(), 'careledger-bench-'));
  const network = await startLocalNetwork(binary, { folder, size: 1 });
  try {
    const height = await fill(network, size, progress);
    const reports: JoinReport[] = [];
    for (let round = 0; round < rounds; round++) {
      const report = await joinOnce(binary, network, mkdtempSync(join(folder, 'join-')), height);
      const words = `joined in ${report.seconds.toFixed(1)} s, ${report.megabytes.toFixed(0)} MB more memory`;
      progress(`   ${words}; load average ${loadavg()[0]?.toFixed(1)}`);
      reports.push(report);
    }
    const seconds = reports.map((report) => report.seconds);
    const megabytes = reports.map((report) => report.megabytes);
    return [
      costCase(`state sync of ${size} record commitments`, 's', seconds, [GOAL_S], 1),
      costCase('memory that it takes', 'MB', megabytes, [GOAL_MEGABYTES], 1),
    ];
  } finally {
    await network.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Commitments of one custodian for many patients, a hundred a transaction, and the blocks that a snapshot needs after it. */
async function fill(network: LocalNetwork, size: number, progress: (line: string) => void): Promise<number> {
  const { chain } = network;
  const engine = network.validators[0]?.engine as Engine;
  const patients = Array.from({ length: PATIENTS }, (_, at) => sampleSigner(1, `patient ${at}`));
  await Promise.all(patients.map((patient) => submit(engine, enrolment(chain, patient))));
  const pseudonyms = patients.map(({ accountId }) => accountId);
  for (let first = 0; first < size; ) {
    const batch: Uint8Array[] = [];
    for (; batch.length < UNDER_WAY && first < size; first += A_TRANSACTION)
      batch.push(commitments(chain, pseudonyms, first));
    await Promise.all(batch.map((transaction) => submit(engine, transaction)));
    if (first % TOLD_EVERY < UNDER_WAY * A_TRANSACTION) progress(`   ${first} commitments recorded`);
  }
  const { height } = engine.head();
  for (const name of ['one', 'two']) await submit(engine, enrolment(chain, sampleSigner(1, name)));
  return height;
}

/** On a machine that is busy with other things a block can take long; the same transaction again is recorded once. */
async function submit(engine: Engine, transaction: Uint8Array): Promise<void> {
  for (;;) {
    const error = await engine.submit(transaction).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    if (error === undefined) return;
    if (!(error instanceof AppError) || !PASSING.has(error.code)) throw error;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function commitments(chain: SampleChain, pseudonyms: readonly Uint8Array[], first: number): Uint8Array {
  const entries = Array.from({ length: A_TRANSACTION }, (_, at) => ({
    pseudonym: pseudonyms[(first + at) % pseudonyms.length] as Uint8Array,
    commitment: sha256(Buffer.from(`commitment ${first + at}`)),
  }));
  const author = chain.custodian.accountId;
  const parts = encodeCommitVersions({ author, authorSignature: null, entries });
  return signedAction(chain, chain.custodian, 'commit-versions', parts);
}

async function joinOnce(
  binary: string,
  network: LocalNetwork,
  folder: string,
  height: number,
): Promise<JoinReport> {
  const rpcUrls = network.validators.map(({ rpcUrl }) => rpcUrl);
  const order: JoinOrder = {
    binary,
    folder,
    genesis: toHex(encodeGenesis(network.chain.genesis)),
    rpcUrls,
    height,
  };
  const script = join(import.meta.dirname, 'consortium', 'joiner.ts');
  const { stdout } = await execute(process.execPath, [script, JSON.stringify(order)], {
    timeout: PATIENCE_MS,
  });
  return JSON.parse(stdout) as JoinReport;
}
