import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'careledger-start-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

function start(data: string, ...more: string[]): Started {
  const { CARELEDGER_PASSPHRASE: _none, ...env } = process.env;
  const words = [
    '--disable-warning=ExperimentalWarning',
    MAIN,
    'start',
    '--data',
    data,
    '--port',
    '0',
    ...more,
  ];
  const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    child,
    output: () => output,
    ended: new Promise((resolve) => child.once('close', (code) => resolve(code))),
  };
}

async function readyUrl({ output, ended }: Started): Promise<string> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  for (;;) {
    const url = /CareLedger is ready at (http\S+)/.exec(output())?.[1];
    if (url !== undefined) return url;
    if (isOver) throw new Error(output());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('Ctrl-C stops a node cleanly even when it comes twice, and the next start is on the same folder', async () => {
  const data = join(folder, 'twice');
  const first = start(data, '--empty');
  assert.equal((await fetch(`${await readyUrl(first)}/readyz`)).status, 200);
  assert.doesNotMatch(first.output(), /made-up patients/, '--empty loads no patients');
  assert.ok(!existsSync(join(data, 'demo')), '--empty makes no demo keys');
  first.child.kill('SIGINT');
  first.child.kill('SIGINT');
  assert.equal(await first.ended, 0, first.output());
  assert.match(first.output(), /"event":"stopped"/);
  assert.ok(!existsSync(join(data, 'admin.sock')), 'nothing is left that says it runs');
  const second = start(data);
  await readyUrl(second);
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0, second.output());
});
