/** A page of commands, pasted line by line into a shell in what looks like a fresh clone, as a person would. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MARK = '@@line';

interface Line {
  command: string;
  output: string;
  exit: number;
}

/** What the commands of a page answered. */
export interface PastedTour {
  /** Of the nth line that begins so. */
  output(start: string, nth?: number): string;
}

export interface TourOptions {
  /** The page, from the root of the repository. */
  page: string;
  limitMs: number;
  env?: Record<string, string>;
  /** What a line has to be changed to here, where others use the same machine. */
  change?: (command: string) => string;
}

/** Pastes all lines of a page; every one of them has to succeed. */
export async function pasteTour({ page, limitMs, env = {}, change }: TourOptions): Promise<PastedTour> {
  const folder = freshClone();
  try {
    const commands = commandsOf(readFileSync(join(root, page), 'utf8')).map((line) => change?.(line) ?? line);
    const lines = await paste(folder, commands, env, limitMs);
    for (const line of lines) assert.equal(line.exit, 0, `${line.command}\n${line.output}`);
    return {
      output(start, nth = 0) {
        const found = lines.filter(({ command }) => command.startsWith(start))[nth];
        assert.ok(found, `no line begins with ${start}`);
        return found.output;
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder that looks like a clone, so that the tour's `./data` is not the developer's. */
function freshClone(): string {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-tour-'));
  const own = new Set(['.git', 'data', 'network', '.build']);
  for (const name of readdirSync(root)) if (!own.has(name)) symlinkSync(join(root, name), join(folder, name));
  return folder;
}

function commandsOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) => block.split('\n')).filter((line) => line !== '');
}

/** Runs the lines in one shell. */
async function paste(
  folder: string,
  commands: string[],
  extra: Record<string, string>,
  limitMs: number,
): Promise<Line[]> {
  const script = commands.map((command) => `${command}\necho "${MARK} $?" 2>&1`).join('\n');
  writeFileSync(join(folder, 'tour.sh'), `trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n${script}\n`);
  const env = {
    ...process.env,
    CARELEDGER_HOME: join(folder, 'home'),
    PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}`,
    // The packages are installed when this runs; nothing of a test may reach for the network.
    npm_config_ignore_scripts: 'true',
    npm_config_update_notifier: 'false',
    ...extra,
  };
  const output = await run('bash', ['tour.sh'], { cwd: folder, env, timeout: limitMs });
  const parts = output.split(new RegExp(`^${MARK} (\\d+)$`, 'm'));
  return commands.map((command, at) => ({
    command,
    output: parts[2 * at] ?? '',
    exit: Number(parts[2 * at + 1] ?? 99),
  }));
}

function run(
  command: string,
  args: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; timeout: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

/** Whether nothing listens on a port of this machine. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => void server.close(() => resolve(true)));
  });
}

/** The first of as many ports in a row that nothing listens on, below those that a system gives by itself. */
export async function freePortsInRow(count: number): Promise<number> {
  for (let first = 20_000 + (process.pid % 100) * 100; first < 32_000; first += count) {
    const ports = Array.from({ length: count }, (_, place) => first + place);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`There are no ${count} free ports in a row.`);
}
