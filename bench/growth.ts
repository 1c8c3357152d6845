import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../src/engine/power-loss-storage.ts';
import { type BenchCase, type BenchOptions, costCase, median } from './bench-case.ts';
import { type GrowthFacts, type GrowthLoad, type GrowthNode, startGrowthNode } from './growth-load.ts';

const FACTORS = [1, 10, 100] as const;
const DEFAULT_SIZE = 1000;
const FULL_SIZE = 10_000;
const RECORDS_OF_A_PATIENT = 10;
const PATIENTS_OF_A_CONSENT = 5;
const READS_IN_A_TURN = 40;
const TURNS_IN_A_ROUND = 8;
const WARM_UP_READS = 300;
const MIB = 2 ** 20;
const MEMORY_GOAL_MIB = 512;
/** p50 may grow to 1.2 times: the least ratio of the small one to the large one. */
const P50_GOAL = 0.833;

/**
 * Three nodes with 1, 10 and 100 times the records, patients and consents, read in turn; what proofs and memory grow by.
 * `--size N` is the number of records in the smallest (1,000); `--full` makes the largest hold a million record versions.
 */
export async function run(options: BenchOptions): Promise<BenchCase[]> {
  const root = mkdtempSync(join(tmpdir(), 'careledger-growth-'));
  const nodes: GrowthNode[] = [];
  try {
    const taken: GrowthFacts[] = [];
    for (const factor of FACTORS) {
      const load = loadOf(factor, root, options);
      options.progress(
        `   ${load.records} record versions, ${load.patients} patients, ${load.consents} consents`,
      );
      const loader = await startGrowthNode({ ...load, isEmpty: true }, options.progress);
      taken.push(loader.first);
      await loader.stop();
    }
    // Started again, so that the memory is that of a node that serves, and not of the loading.
    for (const factor of FACTORS)
      nodes.push(await startGrowthNode(loadOf(factor, root, options), options.progress));
    const times = await readInTurn(nodes, options);
    const facts = await Promise.all(nodes.map((node) => node.facts()));
    tellMemory(nodes, taken, facts, options);
    return [...timeCases(times), ...proofCases(facts), ...memoryCases(taken, facts)];
  } finally {
    for (const node of nodes) await node.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

function loadOf(factor: number, root: string, { size, full, seed }: BenchOptions): GrowthLoad {
  const records = (size ?? (full === true ? FULL_SIZE : DEFAULT_SIZE)) * factor;
  const patients = Math.ceil(records / RECORDS_OF_A_PATIENT);
  return {
    folder: join(root, `${factor}`),
    seed,
    records,
    patients,
    consents: Math.ceil(patients / PATIENTS_OF_A_CONSENT),
    isEmpty: false,
  };
}

/** Milliseconds of each read, by node; the nodes take short turns, so that whatever else the machine does meets all alike. */
async function readInTurn(
  nodes: readonly GrowthNode[],
  { rounds, seed, progress }: BenchOptions,
): Promise<number[][]> {
  const random = seededRandom(seed);
  for (const node of nodes) await readSome(node, random, WARM_UP_READS);
  const times = nodes.map((): number[] => []);
  for (let round = 1; round <= rounds; round += 1) {
    for (let turn = 0; turn < TURNS_IN_A_ROUND; turn += 1)
      for (const [place, node] of nodes.entries())
        times[place]?.push(...(await readSome(node, random, READS_IN_A_TURN)));
    progress(`   p50 ${times.map((all) => median(all).toFixed(2)).join(', ')} ms`);
  }
  return times;
}

async function readSome({ first, load }: GrowthNode, random: () => number, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let read = 0; read < count; read += 1) {
    const url = `${first.url}/fhir/R4/Observation/r${Math.floor(random() * load.records)}`;
    const startMs = performance.now();
    const reply = await fetch(url, { headers: { authorization: first.authorization } });
    await reply.arrayBuffer();
    times.push(performance.now() - startMs);
    if (reply.status !== 200) throw new Error(`A read gave ${reply.status}.`);
  }
  return times;
}

function timeCases(times: readonly number[][]): BenchCase[] {
  const [base = [], ...larger] = times;
  return larger.map((own, place) =>
    costCase(`read p50 at ${FACTORS[place + 1]}× the records`, 'ms', [median(own)], [median(base)], P50_GOAL),
  );
}

/** A binary tree with so many times the leaves is deeper by the logarithm; one more where a size is no power of two. */
function proofCases(facts: readonly GrowthFacts[]): BenchCase[] {
  const [small, large] = [facts[0] as GrowthFacts, facts.at(-1) as GrowthFacts];
  const deeper = Math.ceil(Math.log2(large.logSize / small.logSize)) + 1;
  const leaves = Math.ceil(Math.log2(FACTORS.at(-1) as number)) + 4;
  const added = (name: 'inclusionHashes' | 'consistencyHashes' | 'stateHashes') =>
    Math.max(large[name] - small[name], 1);
  return [
    costCase(
      'hashes that 100× adds to an inclusion proof',
      'hashes',
      [added('inclusionHashes')],
      [deeper],
      1,
    ),
    costCase(
      'hashes that 100× adds to a consistency proof',
      'hashes',
      [added('consistencyHashes')],
      [2 * deeper],
      1,
    ),
    costCase('hashes that 100× adds to a state proof', 'hashes', [added('stateHashes')], [leaves], 1),
  ];
}

function memoryCases(taken: readonly GrowthFacts[], facts: readonly GrowthFacts[]): BenchCase[] {
  const mib = ({ rssBytes }: GrowthFacts) => rssBytes / MIB;
  const [loading, serving] = [taken.at(-1) as GrowthFacts, facts.at(-1) as GrowthFacts];
  return [
    costCase('resident memory while it takes the records in', 'MiB', [mib(loading)], [MEMORY_GOAL_MIB], 1),
    costCase('resident memory while it serves them', 'MiB', [mib(serving)], [MEMORY_GOAL_MIB], 1),
  ];
}

function tellMemory(
  nodes: readonly GrowthNode[],
  taken: readonly GrowthFacts[],
  facts: readonly GrowthFacts[],
  { progress }: BenchOptions,
): void {
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;
  for (const [place, { load }] of nodes.entries()) {
    const [loading, serving] = [taken[place] as GrowthFacts, facts[place] as GrowthFacts];
    progress(
      `   ${load.records} record versions: ${mib(loading.rssBytes)} after taking them in; ${mib(serving.rssBytes)} serving (heap ${mib(serving.heapBytes)}, buffers ${mib(serving.buffersBytes)}); ${serving.logSize} leaves, proofs of ${serving.inclusionHashes}, ${serving.consistencyHashes} and ${serving.stateHashes} hashes`,
    );
  }
}
