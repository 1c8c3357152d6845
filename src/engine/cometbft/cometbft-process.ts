import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { staleKeyCheck, staleKeyState } from './key-state.ts';

const STOP_PATIENCE_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** One that ran so long had started well: the pauses begin anew. */
const GOOD_RUN_MS = 60_000;
/** CometBFT stops deciding blocks and runs on, so its end does not tell (consensus/state.go, receiveRoutine). */
const SIGNED_BEFORE = 'found signature from the same key';
const FAILURE = 'CONSENSUS FAILURE!!!';

export type CometBftProcess = {
  /** The process that runs now; undefined between two. */
  readonly pid: () => number | undefined;
  stop(): Promise<void>;
};

/**
 * Runs `cometbft start` and starts it again when it ends by itself, after a pause that grows. Its output goes to a file in its
 * folder; that it has stopped deciding blocks is said here. `ledgerHeight` is the last block of the consensus engine that the
 * ledger has: where the key's state is older, CometBFT is told to look for the key's own votes first, and stops if there are any.
 * `proxyApp` is where the ledger listens, when not where the configuration says: a folder that was moved has another place.
 */
export function runCometBft(
  binary: string,
  home: string,
  log: (line: string) => void,
  ledgerHeight: () => number = () => 0,
  proxyApp?: string,
): CometBftProcess {
  const output = createWriteStream(join(home, 'cometbft.log'), { flags: 'a', mode: 0o600 });
  let child: ChildProcess | undefined;
  let isStopping = false;
  let pauseMs = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    const startedAtMs = performance.now();
    const application = proxyApp === undefined ? [] : [`--proxy_app=${proxyApp}`];
    const args = ['start', '--home', home, ...application, ...staleKeyCheck(home, ledgerHeight())];
    child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    onceSaid(FAILURE, child, () => log(stoppedDeciding(home)));
    onceSaid(SIGNED_BEFORE, child, () => log(staleKeyState(home)));
    child.stdout?.pipe(output, { end: false });
    child.stderr?.pipe(output, { end: false });
    child.once('error', (cause) => log(`CometBFT could not be started: ${cause.message}`));
    child.once('close', (code, signal) => {
      child = undefined;
      if (isStopping) return;
      if (performance.now() - startedAtMs > GOOD_RUN_MS) pauseMs = FIRST_PAUSE_MS;
      log(
        `CometBFT ended (${signal ?? code}); it is started again in ${pauseMs} ms. See ${join(home, 'cometbft.log')}.`,
      );
      timer = setTimeout(start, pauseMs);
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    });
  };
  const stop = async (): Promise<void> => {
    isStopping = true;
    clearTimeout(timer);
    if (child !== undefined) await ended(child);
    await new Promise<void>((resolve) => output.end(() => resolve()));
  };
  start();
  return { pid: () => child?.pid, stop };
}

/** Calls back the first time that a process says something on its output, wherever the pieces of it end. */
function onceSaid(words: string, { stdout }: ChildProcess, then: () => void): void {
  let end = '';
  const look = (piece: Buffer): void => {
    const text = end + piece.toString('latin1');
    end = text.slice(1 - words.length);
    if (!text.includes(words)) return;
    stdout?.off('data', look);
    then();
  };
  stdout?.on('data', look);
}

function stoppedDeciding(home: string): string {
  return (
    'CometBFT takes part in no further block: what this node computed is not what the others agreed on, or its disk failed. ' +
    `See ${join(home, 'cometbft.log')}. Compare the software with that of the others; then remove the ledger and CometBFT's data and let the node join again.`
  );
}

async function ended(child: ChildProcess): Promise<void> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
  await closed;
  clearTimeout(timer);
}
