/** Our state machine under CometBFT against CometBFT's own `kvstore`, which checks no signatures: the same validators, settings, load and bytes. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  configureHome,
  consensusGenesis,
  createHome,
  type ValidatorCard,
} from '../src/engine/cometbft/cometbft-home.ts';
import { runCometBft } from '../src/engine/cometbft/cometbft-process.ts';
import { freePorts, sampleConsortium, until } from '../src/engine/cometbft/testing/local-network.ts';
import { findCometBft, proxyAppOf } from '../src/engine/index.ts';
import { type BenchCase, type BenchOptions, costCase, rateCase } from './bench-case.ts';
import type { ApplicationOrder } from './consortium/application.ts';
import type { LoadOrder, LoadReport } from './consortium/load.ts';

type App = LoadOrder['app'];
/** What one transaction costs on all nodes together, whatever else the machine does: what bounds the rate on few cores. */
type Measured = LoadReport & { readonly cpuMicroseconds: number; readonly applicationMicroseconds: number };
const GOALS = new Map([
  [4, 0.7],
  [1, 0.6],
]);
const MAX_INTERVAL_MS = 1000;
const LOAD_LIMIT_MS = 240_000;
const execute = promisify(execFile);

export async function run({ seconds, rounds, progress }: BenchOptions): Promise<BenchCase[]> {
  const binary = await findCometBft({ log: progress });
  const cases: BenchCase[] = [];
  for (const [size, goal] of GOALS) {
    const reports: Record<App, Measured[]> = { ours: [], kvstore: [] };
    for (let round = 0; round < rounds; round++) {
      for (const app of ['kvstore', 'ours'] as const) {
        const report = await measure(binary, app, size, seconds);
        reports[app].push(report);
        progress(
          `   ${size} validators, ${app}: ${wordsOf(report)}; load average ${loadavg()[0]?.toFixed(1)}`,
        );
      }
    }
    const rates = (app: App): number[] => reports[app].map(({ perSecond }) => perSecond);
    const name = size === 1 ? '1 validator' : `${size} validators`;
    cases.push(rateCase(`consents vs. kvstore, ${name}`, 'tx/s', rates('ours'), rates('kvstore'), goal));
    const intervals = reports.ours.map(({ medianIntervalMs }) => Math.max(1, medianIntervalMs));
    cases.push(costCase(`time between blocks when busy, ${name}`, 'ms', intervals, [MAX_INTERVAL_MS], 1));
    const idle = reports.ours.map(({ idleBlocks }) => 1 + idleBlocks);
    cases.push(costCase(`1 + blocks in 3 s when idle, ${name}`, 'blocks', idle, [1], 1));
  }
  return cases;
}

function wordsOf(report: Measured): string {
  const { perSecond, transactionBytes, blocks, medianIntervalMs, maxIntervalMs, idleBlocks } = report;
  const { cpuMicroseconds, applicationMicroseconds } = report;
  return (
    `${perSecond.toFixed(0)} tx/s of ${transactionBytes} bytes in ${blocks} blocks, ${medianIntervalMs} ms apart (at most ${maxIntervalMs}), ` +
    `${idleBlocks} when idle; ${cpuMicroseconds.toFixed(0)} µs of all cores each, ${applicationMicroseconds.toFixed(0)} of them in applications of their own`
  );
}

/** One network from its start to its end, loaded for some seconds. */
async function measure(binary: string, app: App, size: number, seconds: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-bench-'));
  const network = await startNetwork(binary, app, size, folder);
  try {
    const order: LoadOrder = { app, rpcUrls: network.rpcUrls, cards: network.cards, seconds };
    const script = join(import.meta.dirname, 'consortium', 'load.ts');
    const { stdout } = await execute(process.execPath, [script, JSON.stringify(order)], {
      timeout: LOAD_LIMIT_MS,
    });
    const report = JSON.parse(stdout) as LoadReport;
    const { all, applications } = network.cpuSeconds();
    return {
      ...report,
      cpuMicroseconds: (all * 1e6) / report.decided,
      applicationMicroseconds: (applications * 1e6) / report.decided,
    };
  } finally {
    await network.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Network = {
  readonly rpcUrls: readonly string[];
  readonly cards: readonly ValidatorCard[];
  /** Spent by all its processes since they began. */
  cpuSeconds(): { all: number; applications: number };
  close(): Promise<void>;
};

async function startNetwork(binary: string, app: App, size: number, folder: string): Promise<Network> {
  const ports = await freePorts(size * 2);
  const homes = Array.from({ length: size }, (_, place) => join(folder, `org${place}`, 'cometbft'));
  for (const home of homes) mkdirSync(home, { recursive: true });
  const cards = await Promise.all(homes.map((home, place) => createHome(binary, home, `org${place}`)));
  const genesisFile = consensusGenesis(sampleConsortium(cards).genesis);
  const rpcUrls = homes.map((_, place) => `http://127.0.0.1:${ports[place]}`);
  const applications: ChildProcess[] = [];
  const engines: ReturnType<typeof runCometBft>[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(engines.map((one) => one.stop()));
    await Promise.all(applications.map(end));
  };
  try {
    for (const [place, home] of homes.entries()) {
      const ledger = join(folder, `org${place}`, 'ledger');
      if (app === 'ours')
        applications.push(
          await startApplication({ folder: ledger, rpcUrl: rpcUrls[place] as string, cards, place }),
        );
      const peers = cards.flatMap(({ nodeId }, other) =>
        other === place ? [] : [`${nodeId}@127.0.0.1:${ports[size + other]}`],
      );
      configureHome(home, genesisFile, {
        name: `org${place}`,
        proxyApp: app === 'ours' ? proxyAppOf({ path: join(ledger, 'abci.sock') }) : 'kvstore',
        rpcPort: ports[place] as number,
        p2pHost: '127.0.0.1',
        p2pPort: ports[size + place] as number,
        peers,
        isLocal: true,
      });
      engines.push(runCometBft(binary, home, (line) => process.stderr.write(`${line}\n`)));
    }
    await Promise.all(rpcUrls.map((url) => untilConnected(url, size - 1)));
    const spent = (pids: readonly (number | undefined)[]): number =>
      pids.reduce<number>((sum, pid) => sum + cpuSecondsOf(pid ?? 0), 0);
    const cpuSeconds = (): { all: number; applications: number } => {
      const ours = spent(applications.map(({ pid }) => pid));
      return { all: ours + spent(engines.map((one) => one.pid())), applications: ours };
    };
    return { rpcUrls, cards, close, cpuSeconds };
  } catch (cause) {
    await close();
    throw cause;
  }
}

async function startApplication(order: ApplicationOrder): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'consortium', 'application.ts');
  const args = [script, JSON.stringify(order)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

/** User and system time of a process (proc(5), fields 14 and 15 in hundredths of a second); not a number where there is no /proc. */
function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
}

async function untilConnected(rpcUrl: string, peers: number): Promise<void> {
  await until(`CometBFT at ${rpcUrl} with ${peers} peers`, async () => {
    try {
      const answer = (await (await fetch(`${rpcUrl}/net_info`)).json()) as { result?: { n_peers?: string } };
      return Number(answer.result?.n_peers) === peers;
    } catch {
      return false;
    }
  });
}
