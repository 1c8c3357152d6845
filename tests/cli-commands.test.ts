import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createProgram } from '../src/cli/program.ts';
import { openTerminal } from '../src/cli/terminal.ts';
import { toHex } from '../src/shared/index.ts';
import { PASSPHRASE, startTestNode, type TestNode } from './node-fixture.ts';
import { MAIN, type Run, runCli } from './support/run-cli.ts';

const BIN = fileURLToPath(new URL('../bin/careledger.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'careledger-cli-'));

let node: TestNode;
before(async () => {
  node = await startTestNode();
});
after(async () => {
  await node.close();
  rmSync(folder, { recursive: true, force: true });
});

function careledger(words: string[], env: Record<string, string> = {}): Promise<Run> {
  return runCli(words, {
    CARELEDGER_DATA: node.data,
    CARELEDGER_NODE: node.url,
    CARELEDGER_HOME: folder,
    CARELEDGER_PASSPHRASE: PASSPHRASE,
    ...env,
  });
}

async function json(words: string[]): Promise<Record<string, unknown>> {
  const run = await careledger([...words, '--json']);
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as Record<string, unknown>;
}

test('every command explains itself, and completion knows every one of them', () => {
  const program = createProgram(openTerminal(false));
  const names = program.commands.map((command) => command.name());
  const wanted =
    'start init import keys wallet consent read search log verify audit backup restore witness completion'.split(
      ' ',
    );
  for (const name of wanted) assert.ok(names.includes(name), name);
  for (const command of program.commands) {
    assert.ok(command.description().length > 10, command.name());
    for (const child of command.commands)
      assert.ok(child.description().length > 10, `${command.name()} ${child.name()}`);
  }
});

test('completion for bash, zsh and fish', async () => {
  for (const shell of ['bash', 'zsh', 'fish'])
    assert.match((await careledger(['completion', shell])).stdout, /enrol-code/);
  const bash = (await careledger(['completion', 'bash'])).stdout;
  const asked = spawnSync(
    'bash',
    ['-c', `${bash}\nCOMP_WORDS=(careledger consent g) COMP_CWORD=2; _careledger; echo "\${COMPREPLY[@]}"`],
    { encoding: 'utf8' },
  );
  assert.equal(asked.stdout.trim(), 'grant', asked.stderr);
  assert.equal((await careledger(['completion', 'tcsh'])).status, 2);
});

test('a reader that stops early crashes no command', () => {
  const env = { ...process.env, CARELEDGER_DATA: node.data, MAIN, NODE: process.execPath };
  for (const words of ['--help', 'start --help', 'completion fish', 'verify nowhere --json']) {
    const script = `"$NODE" --disable-warning=ExperimentalWarning "$MAIN" ${words} | true; exit "\${PIPESTATUS[0]}"`;
    const run = spawnSync('bash', ['-c', script], { encoding: 'utf8', env, timeout: 20_000 });
    assert.doesNotMatch(run.stderr, /EPIPE|Unhandled|at .*\.ts/, words);
    assert.ok(run.status === 0 || words.startsWith('verify'), `${words}: ${run.status} ${run.stderr}`);
  }
});

test('wrong usage exits with 2, a missing node with 6, and both say what to do', async () => {
  assert.equal((await careledger(['nonsense'])).status, 2);
  assert.equal((await careledger(['read'])).status, 2);
  assert.equal((await careledger(['start', '--port', 'abc', '--data', join(folder, 'x')])).status, 2);
  const absent = await careledger(['status', '--data', join(folder, 'nowhere')]);
  assert.equal(absent.status, 6);
  assert.match(absent.stderr, /careledger start/);
  const unreachable = await careledger([
    'read',
    'Patient/ana',
    '--as',
    join(node.data, 'demo/clinician.key.json'),
    '--node',
    'http://127.0.0.1:1',
  ]);
  assert.equal(unreachable.status, 6);
});

test('--json answers with one object on standard output, errors too', async () => {
  const status = await json(['status']);
  assert.equal(status.ready, true);
  const failed = await careledger([
    'read',
    'Patient/nobody',
    '--as',
    join(node.data, 'demo/clinician.key.json'),
    '--json',
  ]);
  assert.equal(failed.status, 4);
  assert.equal((JSON.parse(failed.stdout) as { error: string }).error, 'not-found');
});

test('keys: made for the owner only, registered, used, rotated, suspended, never overwritten', async () => {
  const file = join(folder, 'nurse.json');
  const { accountId } = await json(['keys', 'create', file, '--name', 'Nurse']);
  assert.equal(statSync(file).mode & 0o077, 0);
  assert.equal((await careledger(['keys', 'create', file])).status, 3, 'a key is not overwritten');
  assert.doesNotMatch((await careledger(['keys', 'show', file])).stdout, /seed/);
  assert.equal((await careledger(['read', 'Patient/ana', '--as', file])).status, 3, 'not registered yet');
  assert.equal((await json(['keys', 'register', file, '--role', 'nurse'])).accountId, accountId);
  assert.equal((await json(['read', 'Patient/ana', '--as', file])).id, 'ana');
  const next = join(folder, 'nurse-2.json');
  await json(['keys', 'rotate', file, next]);
  assert.equal((await careledger(['read', 'Patient/ana', '--as', file])).status, 3);
  assert.equal((await json(['read', 'Patient/ana', '--as', next])).id, 'ana');
  await json(['keys', 'suspend', next]);
  assert.equal((await careledger(['read', 'Patient/ana', '--as', next])).status, 3);
  await json(['keys', 'reinstate', accountId as string]);
  assert.equal((await json(['read', 'Patient/ana', '--as', next])).id, 'ana');
});

test('an organisation registers its own people with its own key', async () => {
  const file = join(folder, 'colleague.json');
  await json(['keys', 'create', file]);
  await json([
    'keys',
    'register',
    file,
    '--role',
    'researcher',
    '--by',
    join(node.data, 'demo/institute.key.json'),
  ]);
  assert.equal(
    (await careledger(['read', 'Patient/ana', '--as', file, '--purpose', 'HRESCH'])).status,
    4,
    'known, but without a consent',
  );
});

test('a wallet from a prompt-less shell: code from a file, seed under a passphrase', async () => {
  const wallet = join(folder, 'bram.json');
  const env = { CARELEDGER_WALLET_PASSPHRASE: 'bram keeps this to himself' };
  assert.equal((await careledger(['wallet', 'create', '--wallet', wallet], env)).status, 0);
  assert.equal(statSync(wallet).mode & 0o077, 0);
  assert.doesNotMatch(readFileSync(wallet, 'utf8'), /"seed"/);
  assert.equal(
    (await careledger(['wallet', 'enrol', '--wallet', wallet], env)).status,
    2,
    'no code anywhere',
  );
  const code = join(folder, 'bram.code');
  await json(['keys', 'enrol-code', 'Patient/bram', '--out', code]);
  assert.equal(
    (await careledger(['wallet', 'enrol', '--wallet', wallet, '--code-file', code])).status,
    3,
    'no passphrase',
  );
  assert.equal(
    (await careledger(['wallet', 'enrol', '--wallet', wallet, '--code-file', code], env)).status,
    0,
  );
  assert.equal(
    (await careledger(['wallet', 'enrol', '--wallet', wallet, '--code-file', code], env)).status,
    3,
    'the code is used up',
  );
  const log = await careledger(['log', '--wallet', wallet, '--json'], env);
  assert.equal(log.status, 0, log.stderr);
  const { accesses } = JSON.parse(log.stdout) as { accesses: { proof: string }[] };
  assert.ok(
    accesses.length > 5 && accesses.every(({ proof }) => proof === 'in the log'),
    log.stdout.slice(0, 400),
  );
});

test('import says how many and how fast, and a second time changes nothing', async () => {
  const file = fileURLToPath(new URL('../samples/chi.json', import.meta.url));
  const again = await json(['import', file]);
  assert.deepEqual([again.created, again.files], [0, 1]);
  const broken = join(folder, 'broken.json');
  writeFileSync(
    broken,
    '{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient","id":"x","gender":"purple"},"request":{"method":"PUT","url":"Patient/x"}}]}',
  );
  const refused = await careledger(['import', broken]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /broken\.json: .*gender/);
  assert.equal((await careledger(['import', join(folder, 'absent.json')])).status, 2);
});

test('backup, its check, restore, audit of all three', async () => {
  const backup = join(folder, 'backup');
  const restored = join(folder, 'restored');
  await json(['backup', backup]);
  assert.equal((await careledger(['backup', backup])).status, 7, 'never over a folder');
  const whose = await json(['verify', backup]);
  const { opened, chainId } = node.node.runtime;
  assert.deepEqual(whose, {
    ok: true,
    chainId: toHex(chainId),
    signer: toHex(opened.genesis.operatorKey),
    findings: [],
  });
  assert.match(
    (await careledger(['verify', backup, '--chain', '00'.repeat(32)])).stdout,
    /not of the chain that --chain names/,
  );
  await json(['restore', backup, '--data', restored, '--keys', join(node.data, 'keys')]);
  assert.equal(
    (await careledger(['restore', backup, '--data', restored, '--keys', join(node.data, 'keys')])).status,
    7,
  );
  assert.equal((await json(['audit'])).ok, true);
  assert.equal((await json(['audit', '--data', restored])).ok, true);
  const rows = join(backup, 'vault', 'vault-rows.sealed');
  const bytes = readFileSync(rows);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  writeFileSync(rows, bytes);
  const verdict = await careledger(['verify', backup]);
  assert.equal(verdict.status, 5);
  assert.match(verdict.stdout, /vault-rows\.sealed/);
  assert.equal(
    (
      await careledger([
        'restore',
        backup,
        '--data',
        join(folder, 'other'),
        '--keys',
        join(node.data, 'keys'),
      ])
    ).status,
    5,
  );
});

test('an erased record is gone, and the erasure is on the ledger', async () => {
  const before = node.node.runtime.engine.head().height;
  const record = await json(['erase', 'Observation/deniz-temperature', '--yes']);
  assert.equal(record.replaceCopiesOf, join(node.data, 'keys/vault.keys'));
  assert.equal((record.commitments as string[]).length, 1);
  assert.ok(Number(record.height) > before);
  const clinician = join(node.data, 'demo/clinician.key.json');
  assert.equal((await careledger(['read', 'Observation/deniz-temperature', '--as', clinician])).status, 4);
  assert.equal((await careledger(['erase', 'Observation/chi-peak-flow'])).status, 2, 'only with --yes');
});

test('the launcher finds a Node that is new enough', () => {
  const run = spawnSync(process.execPath, [BIN, '--version'], { encoding: 'utf8' });
  assert.deepEqual([run.status, run.stdout.trim()], [0, '0.1.0']);
});

test('a record comes with a receipt that opens its commitment, and who may not read it gets none', async () => {
  const file = join(folder, 'record-receipt.json');
  const clinician = join(node.data, 'demo/clinician.key.json');
  await json(['read', 'Observation/ana-hba1c', '--as', clinician, '--receipt', file]);
  const verdict = await careledger(['verify', file]);
  assert.equal(verdict.status, 0, verdict.stdout);
  assert.match(verdict.stdout, /Observation\/ana-hba1c/);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('"index":', '"indexx":'));
  assert.equal((await careledger(['verify', file])).status, 5);
  const token = await node.token('researcher', 'HRESCH');
  const denied = await fetch(`${node.url}/records/Observation/ana-hba1c/receipt`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(denied.status, 404);
});
