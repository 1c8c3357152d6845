import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEmbeddedEngine, verifyLedgerFolder } from '../src/engine/index.ts';
import { type Random, seededRandom } from '../src/engine/power-loss-storage.ts';
import { sampleChain } from '../src/engine/sample-chain.ts';
import { fromHex, toHex } from '../src/shared/index.ts';

export type CampaignOptions = {
  readonly runs: number;
  readonly seed: number;
  /** Other Nodes, on which the log has to replay to the same appHash. */
  readonly replayWith?: readonly OtherNode[];
  readonly progress: (line: string) => void;
};
export type OtherNode = { readonly path: string; readonly version: string };
export type CampaignReport = {
  readonly kills: number;
  readonly acknowledged: number;
  readonly failures: readonly string[];
  readonly replayedOn: readonly string[];
};

type Acknowledgement = { readonly id: string; readonly answer: string };

/** Runs that share a folder, so that a crash also meets what earlier crashes left. */
const RUNS_PER_FOLDER = 10;
const MAX_RUN_MS = 900;
const EARLY_KILLS = 0.15;
const START_LIMIT_MS = 60_000;
const childScript = fileURLToPath(new URL('./crash-child.ts', import.meta.url));
const replayScript = fileURLToPath(new URL('./replay-app-hash.ts', import.meta.url));

/** Kills a loaded node again and again, and after each kill looks for everything it had acknowledged. */
export async function runCrashCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const random = seededRandom(options.seed);
  const root = mkdtempSync(join(tmpdir(), 'careledger-crash-'));
  const failures: string[] = [];
  let acknowledged = 0;
  try {
    for (let first = 0; first < options.runs; first += RUNS_PER_FOLDER) {
      const folder = join(root, `ledger-${first}`);
      const known: Acknowledgement[] = [];
      for (let run = first; run < Math.min(first + RUNS_PER_FOLDER, options.runs); run++) {
        known.push(...(await runUntilKilled(folder, random)));
        const found = await problemsAfter(folder, known);
        failures.push(...found.map((problem) => `run ${run + 1}: ${problem}`));
        options.progress(
          `run ${run + 1}/${options.runs}: ${known.length} acknowledged in this folder, ${found.length} problems`,
        );
      }
      acknowledged += known.length;
      failures.push(...(await replayProblems(folder, options.replayWith ?? [])));
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return {
    kills: options.runs,
    acknowledged,
    failures,
    replayedOn: [process.version, ...(options.replayWith ?? []).map(({ version }) => version)],
  };
}

/** Starts the node and kills it without warning at a random moment; what it acknowledged before is returned. */
async function runUntilKilled(folder: string, random: Random): Promise<Acknowledgement[]> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', childScript, folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  let kill: NodeJS.Timeout | undefined;
  const limit = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
  // Some kills come while the node is still opening the folder.
  const killAfterMs = Math.floor(random() * MAX_RUN_MS);
  if (random() < EARLY_KILLS) kill = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (kill === undefined && output.includes('ready\n'))
      kill = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  });
  const signal = await new Promise<string | null>((resolve) =>
    child.once('close', (_code, killedBy) => resolve(killedBy)),
  );
  clearTimeout(limit);
  if (signal !== 'SIGKILL') throw new Error(`The node stopped by itself: ${errors.trim()}`);
  return acknowledgements(output);
}

/** A line that the kill cut short was not acknowledged to anybody. */
function acknowledgements(output: string): Acknowledgement[] {
  const lines = output.slice(0, output.lastIndexOf('\n') + 1).split('\n');
  return lines.flatMap((line) => {
    const [word, id, ...answer] = line.split(' ');
    return word === 'ack' && id !== undefined ? [{ id, answer: answer.join(' ') }] : [];
  });
}

/** Opens what the kill left, and asks for each acknowledged transaction. */
async function problemsAfter(folder: string, known: readonly Acknowledgement[]): Promise<string[]> {
  if (!existsSync(folder)) return known.length > 0 ? ['the folder is gone'] : [];
  const problems: string[] = [];
  const chain = sampleChain();
  const engine = await openEmbeddedEngine({
    folder,
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now: Date.now,
    verifyWorkers: 0,
  });
  try {
    for (const { id, answer } of known) {
      const found = await engine.transaction(fromHex(id) as Uint8Array);
      const now =
        found === undefined ? 'missing' : `${found.height} ${found.index} ${found.code} ${found.leafIndex}`;
      if (now !== answer)
        problems.push(`transaction ${id} was acknowledged at "${answer}" and is now "${now}"`);
    }
  } finally {
    await engine.close();
  }
  return problems;
}

/** The log alone has to give the same head as the index did, here and on every other Node there is; and an audit nothing. */
async function replayProblems(folder: string, replayWith: readonly OtherNode[]): Promise<string[]> {
  const problems: string[] = [];
  for await (const finding of verifyLedgerFolder(folder))
    if (finding.severity === 'damage') problems.push(finding.message);
  const fromIndex = await appHashHere(folder);
  rmSync(join(folder, 'index.db'), { force: true });
  const fromLog = await appHashHere(folder);
  if (fromLog !== fromIndex) problems.push(`the index gives appHash ${fromIndex}, the log ${fromLog}`);
  for (const { path, version } of replayWith) {
    rmSync(join(folder, 'index.db'), { force: true });
    const replayed = spawnSync(path, ['--disable-warning=ExperimentalWarning', replayScript, folder], {
      encoding: 'utf8',
      timeout: START_LIMIT_MS,
    });
    if (replayed.stdout.trim() !== fromLog)
      problems.push(
        `Node ${version} replays to another appHash: ${replayed.stdout.trim()} ${replayed.stderr.trim()}`,
      );
  }
  return problems;
}

async function appHashHere(folder: string): Promise<string> {
  const chain = sampleChain();
  const engine = await openEmbeddedEngine({
    folder,
    genesis: chain.genesis,
    operatorSeed: chain.operatorSeed,
    now: Date.now,
    verifyWorkers: 0,
  });
  const hash = toHex(engine.head().appHash);
  await engine.close();
  return hash;
}

/** The Nodes at these paths, with their versions; undefined when one of them does not answer. */
export function otherNodes(paths: readonly string[]): OtherNode[] | undefined {
  const nodes = paths.map((path) => {
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout ?? '';
    return { path, version: version.trim() };
  });
  return nodes.every(({ version }) => /^v\d+\./.test(version)) ? nodes : undefined;
}
