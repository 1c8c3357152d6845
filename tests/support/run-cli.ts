/** The command line: as its own process, or in this one, which is quicker and does all but start and end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { createProgram } from '../../src/cli/program.ts';
import { openTerminal, reportFailure, type Terminal } from '../../src/cli/terminal.ts';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface Run {
  status: number;
  stdout: string;
  stderr: string;
}

/** Starts a command. */
function spawnCli(words: readonly string[], env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...words], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs a command to its end, without blocking this process: the node may be in it. */
export function runCli(words: readonly string[], env: Record<string, string>): Promise<Run> {
  const child = spawnCli(words, env);
  const run = { status: 0, stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    run.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    run.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ ...run, status: status ?? -1 })));
}

/** Starts a command that stays, such as a node; resolves with the JSON it answers once it serves. */
export function startCli(
  words: readonly string[],
  env: Record<string, string>,
): Promise<{ facts: Record<string, unknown>; stop: () => Promise<void> }> {
  const child = spawnCli([...words, '--json'], env);
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  let stdout = '';
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.includes('\n'))
        resolve({ facts: JSON.parse(stdout.split('\n')[0] ?? '') as Record<string, unknown>, stop });
    });
    child.on('close', () => reject(new Error(`it ended before it served: ${stderr}`)));
  });
}

/** Runs a command in this process; one after the other, since commands read the environment of the process. */
export async function runHere(words: readonly string[], env: Record<string, string>): Promise<Run> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  const run = { status: 0, stdout: '', stderr: '' };
  const terminal = terminalOf(words.includes('--json'), run);
  try {
    const program = createProgram(terminal);
    program.configureOutput({ writeErr: () => undefined });
    await program.parseAsync(['node', 'careledger', ...words]);
  } catch (error) {
    run.status = error instanceof CommanderError ? 2 : reportFailure(terminal, error);
  } finally {
    process.env = before;
  }
  return run;
}

function terminalOf(json: boolean, run: Run): Terminal {
  const output = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      run[name] += text;
    },
  });
  return { ...openTerminal(json, output('stdout'), output('stderr')), progress: () => undefined };
}
