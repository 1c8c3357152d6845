import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const autocannon = require('autocannon') as (options: object) => Promise<LoadResult>;
const CONNECTIONS = 32;
const START_LIMIT_MS = 120_000;

type LoadResult = {
  readonly requests: { readonly average: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly non2xx: number;
  readonly errors: number;
};

export type LoadTarget = {
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly body?: string;
};

/** A server in a process of its own, so that it and the load each have a core. It sends its targets when it is ready. */
export type BenchServer = {
  readonly targets: Record<string, LoadTarget>;
  readonly stop: () => Promise<void>;
};

export async function startBenchServer(module: string, args: readonly string[] = []): Promise<BenchServer> {
  const child = fork(new URL(module, import.meta.url), [...args], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const targets = await firstMessage(child);
  return { targets, stop: () => stopped(child) };
}

/** Requests per second over `seconds`; any answer that is not 2xx makes the measurement worthless, so it throws. */
export async function measureRate(
  target: LoadTarget,
  seconds: number,
): Promise<{ rate: number; p99Ms: number }> {
  const result = await autocannon({ ...target, connections: CONNECTIONS, duration: seconds });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(
      `${result.non2xx} answers were not 2xx and ${result.errors} requests failed; nothing was measured.`,
    );
  }
  return { rate: result.requests.average, p99Ms: result.latency.p99 };
}

function firstMessage(child: ChildProcess): Promise<Record<string, LoadTarget>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('The server under test did not start in time.')),
      START_LIMIT_MS,
    );
    child.once('message', (message) => {
      clearTimeout(timer);
      resolve(message as Record<string, LoadTarget>);
    });
    child.once('exit', (code) =>
      reject(new Error(`The server under test ended with ${code} before it was ready.`)),
    );
  });
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.removeAllListeners('exit');
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
