import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { exitOf, track } from './processes.ts';

/** A real `cometbft start`, that is killed, stopped and started as the campaign says. */
export class ConsensusProcess {
  readonly #child: ChildProcess;

  constructor(binary: string, home: string, logFile: string) {
    const log = openSync(logFile, 'a');
    this.#child = track(spawn(binary, ['start', '--home', home], { stdio: ['ignore', log, log] }));
    closeSync(log);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await exitOf(this.#child);
  }

  exited(): Promise<void> {
    return exitOf(this.#child);
  }
}
