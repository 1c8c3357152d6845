import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { AppError } from '../../shared/index.ts';
import type { Member } from './members.ts';

const STOP_PATIENCE_MS = 40_000;

/** A member's node, as a process of its own. */
export interface MemberProcess {
  readonly member: Member;
  /** Where its log is. */
  readonly log: string;
  /** Resolves with the node's address once it is ready; rejects when it ends before. */
  readonly ready: Promise<string>;
  /** Resolves when the process has ended, with what there is to say of it. */
  readonly ended: Promise<string>;
  stop(): void;
}

/** Starts a node with the same command that a host of its own would use. */
export function startMember(member: Member, program: string): MemberProcess {
  const log = `${member.data}.log`;
  const words = ['start', '--data', member.data, '--port', String(member.port), '--json', '--log', 'info'];
  const child = spawn(process.execPath, [...process.execArgv, program, ...words], {
    stdio: ['ignore', 'pipe', openSync(log, 'a', 0o600)],
  });
  const ended = endOf(child);
  return { member, log, ready: readyOf(child, ended, log), ended, stop: () => stop(child) };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (cause) => resolve(cause.message));
    child.once('close', (code, signal) => resolve(String(signal ?? `exit code ${code}`)));
  });
}

/** The first line that the command answers is where its node is. */
function readyOf(child: ChildProcess, ended: Promise<string>, log: string): Promise<string> {
  const url = new Promise<string>((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).once('line', (line) => {
      resolve((JSON.parse(line) as { url?: string }).url ?? '');
    });
  });
  const failed = ended.then((how) => {
    throw new AppError('unavailable', `A node ended before it was ready (${how}). ${log} says why.`);
  });
  failed.catch(() => undefined);
  return Promise.race([url, failed]);
}

function stop(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
  child.once('close', () => clearTimeout(timer));
}
