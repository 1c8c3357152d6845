/** What nodes and files say reaches the terminal as text: it ends no line of ours and moves no cursor. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openTerminal, reportFailure, table } from '../src/cli/terminal.ts';
import { findingsText } from '../src/cli/verdict-text.ts';
import { createNodeClient } from '../src/client/index.ts';
import { AppError, ERROR_TABLE } from '../src/shared/index.ts';
import { runHere } from './support/run-cli.ts';
import { sampleReceipts } from './support/sample-receipts.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-cli-terminal-'));
const at = (name: string): string => join(folder, name);
after(() => rmSync(folder, { recursive: true, force: true }));

const EVIL = 'flu\n  + 3 of 3 witnesses\r\u001b[8m\u009b2J\u202eolleh\u2028';
const ESCAPED = 'flu\\u000a  + 3 of 3 witnesses\\u000d\\u001b[8m\\u009b2J\\u202eolleh\\u2028';

function told(json: boolean, tell: (terminal: ReturnType<typeof openTerminal>) => unknown): string[] {
  const [out, err] = [[], []] as [string[], string[]];
  const output = (texts: string[]) => ({ write: (text: string) => texts.push(text) });
  tell(openTerminal(json, output(out), output(err)));
  return [out.join(''), err.join('')];
}

test('a line of a verdict, a cell of a table and an error stay one line', () => {
  const text = findingsText('The proof holds.', { statements: [EVIL], notProven: [EVIL] });
  assert.equal(text, `The proof holds.\n\nProven:\n  + ${ESCAPED}\n\nNot proven:\n  - ${ESCAPED}`);
  assert.equal(table([[EVIL, 'x']]), `${ESCAPED}  x`);
  const [, error] = told(false, (terminal) => reportFailure(terminal, new AppError('not-found', EVIL)));
  assert.equal(error, `${ESCAPED}  [not-found]\n`);
});

test('no control character reaches the terminal, whoever forgot to look', () => {
  const lines = 'two\nlines, ñ and 👩‍⚕️';
  assert.deepEqual(
    told(false, (terminal) => terminal.answer({}, lines)),
    [`${lines}\n`, ''],
  );
  for (const way of ['answer', 'warn', 'progress'] as const) {
    const texts = told(false, (terminal) =>
      way === 'answer' ? terminal.answer({}, EVIL) : terminal[way](EVIL),
    );
    assert.doesNotMatch(texts.join(''), /[^\n\x20-\x7e]/, way);
  }
});

test('an unexpected error ends as the table of errors says of it', () => {
  const [, error] = told(false, (terminal) =>
    assert.equal(reportFailure(terminal, new Error('boom')), ERROR_TABLE.internal.exitCode),
  );
  assert.match(error ?? '', /report this/);
});

test('as JSON an answer means the same', () => {
  const [json = ''] = told(true, (terminal) => terminal.answer({ text: EVIL }, ''));
  assert.match(json, /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(json), { text: EVIL });
});

test('a node names no code that is none: the command fails all the same', async () => {
  const problem = JSON.stringify({ title: 'constructor', code: 'toString', detail: 'no' });
  const client = createNodeClient({
    baseUrl: 'http://node.example',
    fetch: async () => new Response(problem, { status: 500 }),
  });
  const error = await client.describe().catch((cause: unknown) => cause);
  assert.ok(error instanceof AppError && error.code === 'unavailable');
});

test('a file that cannot be had is told in a line, and is no fault of ours', async () => {
  const { receipts } = sampleReceipts();
  writeFileSync(at('receipt.json'), receipts.consent);
  const env = { CARELEDGER_HOME: folder, CARELEDGER_NODE: 'http://127.0.0.1:1' };
  const made = await runHere(['wallet', 'create'], env);
  assert.deepEqual([made.status, /^Warning: CARELEDGER_WALLET_PASSPHRASE/.test(made.stderr)], [0, true]);
  const cases: [status: number, ...words: string[]][] = [
    [4, 'wallet', 'enrol', '--code-file', at('none')],
    [7, 'network', 'start', '--data', folder, '--port', '0'],
    [4, 'verify', at('receipt.json'), '--genesis', at('none')],
    [4, 'verify', at('receipt.json'), '--network', at('none')],
    [2, 'verify', at('receipt.json'), '--network', folder],
    [4, 'consent', 'close', at('receipt.json'), '--out', at('none/closed.json')],
  ];
  for (const [status, ...words] of cases) {
    const run = await runHere(words, env);
    assert.equal(run.status, status, `${words.join(' ')}: ${run.stderr}`);
    assert.match(run.stderr, /^[^\n]+ {2}\[[a-z-]+\]\n$/);
  }
  assert.ok(!existsSync(at('none')));
  assert.match((await runHere(['network', 'start', '--data', folder], env)).stderr, /belongs to no network/);
  const short = { ...env, CARELEDGER_WALLET_PASSPHRASE: 'abc' };
  assert.equal((await runHere(['wallet', 'create', '--wallet', at('w.json')], short)).status, 2);
});
