import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LIMIT_MS = 540_000;
const MARK = '@@line';

interface Line {
  command: string;
  output: string;
  exit: number;
}

test('the tour works pasted line by line', { timeout: LIMIT_MS + 30_000 }, async () => {
  const folder = freshClone();
  try {
    const lines = await paste(folder, commandsOf(readFileSync(join(root, 'README.md'), 'utf8')));
    for (const line of lines) assert.equal(line.exit, 0, `${line.command}\n${line.output}`);
    const output = (start: string, nth = 0): string => {
      const found = lines.filter(({ command }) => command.startsWith(start))[nth];
      assert.ok(found, `no line begins with ${start}`);
      return found.output;
    };
    assert.match(output('cat start.log'), /CareLedger is ready at http/);
    assert.match(output('careledger read Patient/ana'), /"resourceType": "Patient"/);
    const outsider = 'careledger read Observation/ana-hba1c';
    assert.match(output(outsider), /denied, as it should be/);
    assert.doesNotMatch(output(outsider), /valueQuantity/);
    assert.match(output('careledger wallet enrol'), /Enrolled as Patient\/ana/);
    assert.match(output('careledger consent grant'), /Granted\./);
    assert.match(output(outsider, 1), /"valueQuantity"/);
    assert.match(output('careledger search'), /Condition\/ana-diabetes/);
    assert.doesNotMatch(output('careledger search'), /depress/i);
    assert.match(output('careledger read Condition/ana-depression'), /withheld, as she said/);
    assert.match(output('careledger consent revoke'), /Revoked 1 consent/);
    assert.match(output(outsider, 2), /denied again/);
    assert.match(output('careledger log'), /HRESCH.*ana-hba1c.*DENIED: no-consent/);
    assert.match(output('careledger log'), /HRESCH.*ana-hba1c.*permitted: consent-permits/);
    assert.match(output('careledger verify'), /The proof holds\.[\s\S]*grant-consent/);
    assert.match(output('careledger audit'), /DAMAGED +ledger\/blocks\.log: .*byte \d+[\s\S]*found/);
    assert.match(output('careledger audit', 1), /Ledger and vault are whole/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A folder that looks like a clone, so that the tour's `./data` is not the developer's. */
function freshClone(): string {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-tour-'));
  const own = new Set(['.git', 'data', '.build']);
  for (const name of readdirSync(root)) if (!own.has(name)) symlinkSync(join(root, name), join(folder, name));
  return folder;
}

function commandsOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) => block.split('\n')).filter((line) => line !== '');
}

/** Runs the lines in one shell, as a person would who pastes them. */
async function paste(folder: string, commands: string[]): Promise<Line[]> {
  const script = commands.map((command) => `${command}\necho "${MARK} $?" 2>&1`).join('\n');
  writeFileSync(join(folder, 'tour.sh'), `trap 'kill $(jobs -p) 2>/dev/null' EXIT\n${script}\n`);
  const port = await freePort();
  const env = {
    ...process.env,
    CARELEDGER_PORT: String(port),
    CARELEDGER_NODE: `http://127.0.0.1:${port}`,
    CARELEDGER_HOME: join(folder, 'home'),
    PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}`,
    // The packages are installed when this runs; nothing of a test may reach for the network.
    npm_config_ignore_scripts: 'true',
    npm_config_update_notifier: 'false',
  };
  const output = await run('bash', ['tour.sh'], { cwd: folder, env });
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
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, timeout: LIMIT_MS });
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

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
