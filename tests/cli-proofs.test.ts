/** What patients, clinicians and witnesses do about proofs on the command line: real processes, real files. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeAnchorAccessLog } from '../src/contracts/index.ts';
import { toHex } from '../src/shared/index.ts';
import { PASSPHRASE, startTestNode, type TestNode } from './node-fixture.ts';
import { type Run, runCli, runHere, startCli } from './support/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-cli-proofs-'));
const at = (name: string): string => join(folder, name);
const NOW_AND_THEN = { offsetMs: 0 };

let node: TestNode;
/** The same hospital, but it anchors nothing: what it promises to log by a deadline is not on the ledger then. */
let forgetful: TestNode;
before(async () => {
  node = await startTestNode();
  forgetful = await startTestNode({
    anchorEveryMs: 1e9,
    breakGlass: false,
    now: () => Date.now() + NOW_AND_THEN.offsetMs,
  });
  await json(node, ['wallet', 'create', '--wallet', at('ana.json')]);
  await json(node, ['keys', 'enrol-code', 'Patient/ana', '--out', at('ana.code')]);
  await json(node, ['wallet', 'enrol', '--wallet', at('ana.json'), '--code-file', at('ana.code')]);
});
after(async () => {
  await node.close();
  await forgetful.close();
  rmSync(folder, { recursive: true, force: true });
});

function envOf(of: TestNode): Record<string, string> {
  return {
    CARELEDGER_DATA: of.data,
    CARELEDGER_NODE: of.url,
    CARELEDGER_HOME: folder,
    CARELEDGER_PASSPHRASE: PASSPHRASE,
  };
}

const careledger = (of: TestNode, words: string[]): Promise<Run> => runHere(words, envOf(of));
const keyFile = (of: TestNode, name: string): string => join(of.data, 'demo', `${name}.key.json`);

async function json(of: TestNode, words: string[], status = 0): Promise<Record<string, unknown>> {
  const run = await careledger(of, [...words, '--json']);
  assert.equal(run.status, status, run.stderr);
  return (status === 0 ? JSON.parse(run.stdout) : {}) as Record<string, unknown>;
}

test('a receipt says in words what was consented to, for whom the patient opens it, and no changed terms pass', async () => {
  const to = keyFile(node, 'researcher');
  const grant = ['consent', 'grant', '--wallet', at('ana.json'), '--to', to, '--purpose', 'HRESCH'];
  await json(node, [...grant, '--type', 'Observation', '--withhold', 'hiv', '--receipt', at('closed')]);
  const closed = await careledger(node, ['verify', at('closed')]);
  assert.match(closed.stdout, /does not open the commitment/);
  assert.doesNotMatch(closed.stdout, /Observation/);
  await json(node, ['consent', 'open', at('closed'), '--wallet', at('ana.json'), '--out', at('opened')]);
  const opened = await careledger(node, ['verify', at('opened')]);
  assert.equal(opened.status, 0, opened.stderr);
  assert.match(opened.stdout, /those that were committed to/);
  assert.match(
    opened.stdout,
    new RegExp(
      `The consent permits .*Observation.*by account ${node.demoKey('researcher').accountId} for healthcare research`,
    ),
  );
  assert.match(opened.stdout, /Exception \(root\.0\): it forbids .*hiv/);
  await json(node, ['consent', 'close', at('opened'), '--out', at('closed-again')]);
  assert.equal(readFileSync(at('closed-again'), 'utf8'), readFileSync(at('closed'), 'utf8'));
  const text = readFileSync(at('opened'), 'utf8');
  for (const member of ['"salt":"', '"terms":"']) {
    const place = text.indexOf(member) + member.length + 8;
    const changed = `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`;
    writeFileSync(at('changed'), changed);
    assert.equal((await careledger(node, ['verify', at('changed')])).status, 5, member);
  }
  writeFileSync(at('at-once'), 'others may read this', { mode: 0o644 });
  const atOnce = [...grant, '--type', 'Condition', '--receipt', at('at-once'), '--open'];
  await json(node, atOnce, 3);
  assert.equal(readFileSync(at('at-once'), 'utf8'), 'others may read this');
  rmSync(at('at-once'));
  const given = await json(node, ['consent', 'list', '--wallet', at('ana.json')]);
  assert.equal((given.consents as unknown[]).length, 1, 'nothing was granted whose receipt has no place');
  await json(node, atOnce);
  for (const [option, value] of [
    ['--withhold', 'nope'],
    ['--purpose', 'NOPE'],
  ])
    assert.equal((await careledger(node, [...grant, option as string, value as string])).status, 2, option);
  for (const name of ['closed', 'opened', 'closed-again', 'at-once'])
    assert.equal(statSync(at(name)).mode & 0o777, 0o600, name);
  assert.match((await careledger(node, ['verify', at('at-once')])).stdout, /The consent permits .*Condition/);
  const nobody = ['consent', 'grant', '--wallet', at('ana.json'), '--to', '0'.repeat(64)];
  assert.match((await careledger(node, nobody)).stderr, /^Warning: the ledger has no account 0{64}/);
  await json(node, ['wallet', 'create', '--wallet', at('other.json')]);
  const others = ['consent', 'open', at('closed'), '--wallet', at('other.json'), '--out', at('none')];
  await json(node, others, 4);
});

test('a wallet talks to no other chain than that of its enrolment, and takes no proof of one', async () => {
  const wallet = JSON.parse(readFileSync(at('ana.json'), 'utf8')) as { enrolments: { chainId: string }[] };
  assert.ok(wallet.enrolments[0]);
  wallet.enrolments[0].chainId = 'ab'.repeat(32);
  writeFileSync(at('moved.json'), JSON.stringify(wallet), { mode: 0o600 });
  const to = keyFile(node, 'researcher');
  for (const words of [['log'], ['consent', 'revoke', '--all'], ['consent', 'grant', '--to', to]]) {
    const refused = await careledger(node, [...words, '--wallet', at('moved.json')]);
    assert.equal(refused.status, 3, words.join(' '));
    assert.match(refused.stderr, /wrong-genesis/);
  }
  const read = ['read', 'Patient/ana', '--as', at('moved.json'), '--purpose', 'PATRQT'];
  assert.match((await careledger(node, read)).stderr, /wrong-genesis/);
  await json(forgetful, ['log', '--wallet', at('ana.json')], 4);
});

test('who has a key file notices that the chain of a node was replaced, before anything is signed for it', async () => {
  let target = node.url;
  const door = createHttpServer((request, response) => {
    void fetch(target + request.url, { method: request.method ?? 'GET' }).then(async (answer) =>
      response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer())),
    );
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  const read = async (env: Record<string, string> = {}): Promise<string> => {
    const words = ['read', 'Patient/ana', '--as', keyFile(node, 'clinician'), '--node', url];
    return (await runHere(words, { ...envOf(node), ...env })).stderr;
  };
  try {
    assert.doesNotMatch(await read(), /wrong-genesis/);
    target = forgetful.url;
    assert.match(await read(), /its ledger was replaced.*\[wrong-genesis\]/);
    const chain = { CARELEDGER_CHAIN: toHex(forgetful.node.runtime.chainId) };
    assert.doesNotMatch(await read(chain), /wrong-genesis/);
    assert.doesNotMatch(await read(), /wrong-genesis/);
  } finally {
    door.close();
    door.closeAllConnections();
  }
});

test('a promise that was kept; a denial that looks like an absence makes none', async () => {
  const clinician = keyFile(node, 'clinician');
  await json(node, ['read', 'Patient/ana', '--as', clinician, '--promise', at('kept.promise')]);
  const denied = ['read', 'Patient/ana', '--as', keyFile(node, 'insurer'), '--purpose', 'HPAYMT'];
  await json(node, [...denied, '--promise', at('denied.promise')], 4);
  assert.equal(existsSync(at('denied.promise')), false);
  await node.node.runtime.accessAnchor.anchorNow();
  const kept = await careledger(node, ['verify', '--promise', at('kept.promise'), '--out', at('kept.case')]);
  assert.equal(kept.status, 0, kept.stderr);
  assert.match(kept.stdout, /kept its promise: the entry is in the anchored log/);
  const offline = await runHere(['verify', at('kept.case')], { CARELEDGER_NODE: 'http://127.0.0.1:1' });
  assert.match(offline.stdout, /kept its promise/);
  const headers = `HTTP/1.1 200 OK\r\nCareLedger-Log-Promise: ${readFileSync(at('kept.promise'), 'utf8').trim()}\r\n\r\n`;
  writeFileSync(at('headers'), headers);
  assert.equal((await careledger(node, ['verify', '--promise', at('headers')])).status, 0);
  writeFileSync(at('headers'), 'HTTP/1.1 200 OK\r\n');
  assert.equal((await careledger(node, ['verify', '--promise', at('headers')])).status, 2);
});

test('where the custodian lets nobody break the glass, an emergency opens nothing', async () => {
  const read = ['read', 'Patient/ana', '--as', keyFile(forgetful, 'clinician')];
  await json(forgetful, read);
  await json(forgetful, [...read, '--purpose', 'BTG'], 4);
});

test('a hospital that declared that it lost the end of its log is named for it, before all else', async () => {
  const { custodian, vault } = forgetful.node.runtime;
  const patient = ['--wallet', at('chi.json')];
  await json(forgetful, ['wallet', 'create', ...patient]);
  await json(forgetful, ['keys', 'enrol-code', 'Patient/chi', '--out', at('chi.code')]);
  await json(forgetful, ['wallet', 'enrol', ...patient, '--code-file', at('chi.code')]);
  assert.equal((await json(forgetful, ['log', ...patient])).restarts, 0);
  const { size: logSize, root } = vault.accessLog;
  const payload = encodeAnchorAccessLog({ logSize, logRoot: root(logSize), nonce: new Uint8Array(16) });
  const { height } = await custodian.submit('restart-access-log', [payload]);
  const log = await careledger(forgetful, ['log', ...patient]);
  const said = `^ATTENTION: The hospital declared on the ledger, at height ${height}, that it lost the end of its log`;
  assert.match(log.stdout, new RegExp(said));
});

test('a promise whose entry is missing after the deadline becomes a file that proves it to anybody', async () => {
  const clinician = keyFile(forgetful, 'clinician');
  await json(forgetful, ['read', 'Patient/ana', '--as', clinician, '--promise', at('broken.promise')]);
  const verify = ['verify', '--promise', at('broken.promise')];
  const open = await careledger(forgetful, [...verify, '--out', at('open.case')]);
  assert.equal(open.status, 0, open.stderr);
  assert.match(open.stdout, /Whether the promise will be kept/);
  // Assertions of these commands are good for two minutes, and a session that is open for five.
  const token = await forgetful.token('clinician');
  NOW_AND_THEN.offsetMs = 100_000;
  const putOff = ['read', 'Patient/ana', '--as', clinician, '--promise', at('put-off.promise')];
  const read = await careledger(forgetful, putOff);
  assert.equal(read.status, 5, read.stderr);
  assert.match(read.stdout, /"resourceType": "Patient"/);
  assert.match(read.stderr, /binds nobody: its deadline is later/);
  NOW_AND_THEN.offsetMs = 250_000;
  const answer = await forgetful.fhir('Patient/ana', token);
  writeFileSync(at('put-off.promise'), answer.headers.get('careledger-log-promise') ?? '');
  const found = await careledger(forgetful, ['verify', '--promise', at('put-off.promise')]);
  assert.match(found.stderr, /The deadline of a promise is later/);
  NOW_AND_THEN.offsetMs = 120_000;
  await json(forgetful, ['keys', 'create', at('late.json')]);
  await json(forgetful, ['keys', 'register', at('late.json'), '--role', 'nurse']);
  const broken = await careledger(forgetful, [...verify, '--out', at('broken.case')]);
  assert.equal(broken.status, 5);
  assert.match(broken.stderr, /promise-broken/);
  const offline = await runHere(['verify', at('broken.case'), '--json'], {
    CARELEDGER_NODE: 'http://127.0.0.1:1',
  });
  assert.equal(offline.status, 0);
  const verdict = JSON.parse(offline.stdout) as { promise: string; statements: string[] };
  assert.equal(verdict.promise, 'broken');
  assert.match(verdict.statements.join(), /broke its promise to log: after the deadline/);
  const text = readFileSync(at('broken.case'), 'utf8');
  writeFileSync(at('broken.case'), text.replace(/"leaf":null/, '"leaf":[]'));
  assert.equal((await careledger(forgetful, ['verify', at('broken.case')])).status, 5);
});

test('breaking the glass opens the record, is logged, is shown to the patient first, and is for clinicians alone', async () => {
  const counter = async (): Promise<number> => {
    const text = await (await fetch(`${node.url}/metrics`)).text();
    assert.doesNotMatch(text, /ana/);
    return Number(/^careledger_break_glass_total (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  const before = await json(node, ['log', '--wallet', at('ana.json')]);
  assert.deepEqual([before.breakGlass, await counter()], [[], 0]);
  const read = ['read', 'Observation/ana-hba1c', '--purpose', 'BTG', '--as'];
  assert.equal((await json(node, [...read, keyFile(node, 'clinician')])).id, 'ana-hba1c');
  assert.equal(await counter(), 1);
  await json(node, ['keys', 'create', at('clerk.json')]);
  await json(node, ['keys', 'register', at('clerk.json'), '--role', 'claims-processor']);
  await json(node, [...read, at('clerk.json')], 4);
  await json(node, [...read, keyFile(node, 'researcher')], 4);
  assert.equal(await counter(), 1, 'a denial breaks no glass');
  for (let again = 0; again < 3; again += 1)
    await json(node, ['read', 'Patient/ana', '--as', keyFile(node, 'clinician')]);
  const log = await careledger(node, ['log', '--wallet', at('ana.json'), '--limit', '2']);
  assert.match(log.stdout, /^ATTENTION: An emergency access to your record/);
  assert.match(log.stdout, /read +[0-9a-f]{12} +CareLedger demo hospital +TREAT +Patient\/ana/);
  const [, shown, older] =
    /\n2 of (\d+)\. Those before: careledger log --before (\d+)/.exec(log.stdout) ?? [];
  const rest = await json(node, [
    'log',
    '--wallet',
    at('ana.json'),
    '--before',
    older ?? '',
    '--limit',
    '1000',
  ]);
  assert.deepEqual([(rest.accesses as unknown[]).length, rest.next], [Number(shown) - 2, null]);
  assert.match((await careledger(node, ['log', '--limit', 'x'])).stderr, /^--limit is/);
  const researcher = [
    'read',
    'Observation/ana-hba1c',
    '--as',
    keyFile(node, 'researcher'),
    '--purpose',
    'HRESCH',
  ];
  await json(node, researcher);
  const { consents } = await json(node, ['consent', 'list', '--wallet', at('ana.json')]);
  const [consent] = consents as { consentId: string }[];
  const under = await careledger(node, ['log', '--wallet', at('ana.json'), '--limit', '1']);
  assert.match(
    under.stdout,
    new RegExp(`HRESCH +Observation/ana-hba1c\\S* +${consent?.consentId.slice(0, 16)}`),
  );
  assert.match(log.stdout, /BTG +Observation\/ana-hba1c.* permitted: own-break-glass/);
  assert.match(node.logged(), /"event":"break-glass"/);
  assert.doesNotMatch(node.logged(), /ana-hba1c/);
});

test('a node and a witness as processes of their own: cosigned receipts, a quorum, and who is missing', async () => {
  const port = await freePort();
  const env = { CARELEDGER_HOME: at('home'), CARELEDGER_PASSPHRASE: PASSPHRASE, CARELEDGER_DATA: at('data') };
  const cli = (words: string[]): Promise<Run> => runCli(words, env);
  const witnessWords = ['witness', '--state', at('witness'), '--name', 'witness.example/w1'];
  const key = (await cli([...witnessWords, '--print-key'])).stdout.trim();
  assert.match(key, /^witness\.example\/w1\+[0-9a-f]{8}\+/);
  const start = ['start', '--empty', '--port', '0', '--log', 'error'];
  const witnessed = [...start, '--witness', `http://127.0.0.1:${port}`, '--witness-key', key];
  assert.equal((await cli([...start, '--witness', 'http://127.0.0.1:1'])).status, 2, 'a key for each');
  const running = await startCli(witnessed, env);
  const url = String(running.facts.url);
  const witness = await startCli([...witnessWords, '--node', url, '--port', String(port)], env);
  try {
    assert.equal(witness.facts.verifierKey, key);
    const cliHere = (words: string[]): Promise<Run> => runHere(words, { ...env, CARELEDGER_NODE: url });
    const registered = [
      ['keys', 'create', at('nurse.json')],
      ['keys', 'register', at('nurse.json'), '--role', 'nurse'],
    ];
    for (const words of registered) assert.equal((await cliHere(words)).status, 0);
    const block = (await (await fetch(`${url}/ledger/blocks/1`)).json()) as {
      transactions: { transactionId: string }[];
    };
    const id = block.transactions[0]?.transactionId ?? '';
    const fetchCosigned = ['receipt', id, '--node', url, '--cosigned', '--out', at('cosigned')];
    const untilMs = Date.now() + 40_000;
    let fetched = await cli(fetchCosigned);
    while (fetched.status === 6 && Date.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      fetched = await cliHere(fetchCosigned);
    }
    assert.equal(fetched.status, 0, fetched.stderr);
    const verify = ['verify', at('cosigned'), '--witness', key];
    const good = await cli(verify);
    assert.equal(good.status, 0, good.stdout);
    assert.match(good.stdout, /1 of the 1 witnesses that you trust co-signed it .*witness\.example\/w1/);
    const stranger = (
      await cliHere(['witness', '--state', at('witness-2'), '--name', 'witness.example/w2', '--print-key'])
    ).stdout.trim();
    const both = [...verify, '--witness', stranger];
    const short = await cliHere(both);
    assert.equal(short.status, 5);
    assert.match(short.stdout, /1 co-signed: witness\.example\/w1; missing: witness\.example\/w2/);
    assert.equal((await cliHere([...both, '--quorum', '1'])).status, 0);
    for (const quorum of ['3', '-1', 'x', '1.5'])
      assert.equal((await cliHere([...both, '--quorum', quorum])).status, 2, quorum);
    assert.equal((await cliHere(['verify', at('cosigned'), '--witness', 'nonsense'])).status, 2);
    assert.match(await (await fetch(`${url}/metrics`)).text(), /^careledger_witnesses_signed 1$/m);
    const page = await (await fetch(url, { headers: { accept: 'text/html' } })).text();
    assert.match(page, /1 of 1 cosigned the head of height \d+/);
  } finally {
    await witness.stop();
    await running.stop();
  }
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
