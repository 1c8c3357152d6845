import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Answered, ApplicationSettings, Question } from './application-protocol.ts';
import { exitOf, track } from './processes.ts';

const childScript = fileURLToPath(new URL('./application-child.ts', import.meta.url));
const READY = 0;

type Waiting = { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void };

/** An application in a process of its own, and the questions that it has not answered yet. */
export class ApplicationProcess {
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #number = READY;

  constructor(settings: ApplicationSettings, logFile: string) {
    const log = openSync(logFile, 'a');
    const args = ['--disable-warning=ExperimentalWarning', childScript, JSON.stringify(settings)];
    this.#child = track(spawn(process.execPath, args, { stdio: ['ignore', log, log, 'ipc'] }));
    closeSync(log);
    this.#child.on('message', (answered: Answered) => this.#settle(answered));
    this.#child.once('exit', () => this.#fail());
    this.ready = this.#answer(READY).then(() => undefined);
    this.ready.catch(() => undefined);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Rejects when the process ends, or does not answer in time: it may be stopped. */
  async ask<Answer>(question: Question, timeoutMs: number): Promise<Answer> {
    this.#number += 1;
    const number = this.#number;
    const answer = this.#answer(number);
    const timer = setTimeout(
      () => this.#settle({ number, error: 'timeout: the process does not answer' }),
      timeoutMs,
    );
    // A channel that has closed says so here, and the end of the process rejects.
    this.#child.send({ number, question }, () => undefined);
    return answer.finally(() => clearTimeout(timer)) as Promise<Answer>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await exitOf(this.#child);
  }

  #answer(number: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.isRunning) this.#waiting.set(number, { resolve, reject });
      else reject(new Error('closed: the process has ended'));
    });
  }

  #settle({ number, answer, error }: Answered): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(error));
  }

  #fail(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('closed: the process has ended'));
    this.#waiting.clear();
  }
}
