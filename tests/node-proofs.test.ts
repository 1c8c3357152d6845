/** What a node proves to anybody: its state, the keys its parties had, and its heads with the cosignatures of witnesses. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createNodeClient, openPinnedHeads, parseReceipt, verifyReceipt } from '../src/client/index.ts';
import {
  ACTIONS,
  encodeAnchorAccessLog,
  encodeRegistration,
  encodeRotateKey,
  provePossession,
  readParty,
} from '../src/contracts/index.ts';
import { publicKeyOf } from '../src/identity/index.ts';
import {
  checkpointOrigin,
  decodeTransaction,
  encodeTransaction,
  formatVerifierKey,
  operatorVerifierKey,
  signCheckpoint,
  signTransaction,
  transactionId,
} from '../src/ledger/index.ts';
import { auditNode } from '../src/node/admin/audit.ts';
import { importBundle } from '../src/node/admin/import.ts';
import {
  createKey,
  createWitness,
  type NodeFinding,
  startWitnessServer,
  type WatchedLog,
  witnessKey,
} from '../src/node/index.ts';
import { initWitnessState } from '../src/node/witness/witness-state.ts';
import { AppError, fromHex, toHex } from '../src/shared/index.ts';
import { sessionToken, startTestNode, type TestNode } from './node-fixture.ts';
import { bundleOf } from './support/reference-node.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-node-proofs-'));
let node: TestNode;
before(async () => {
  node = await startTestNode();
});
after(async () => {
  await node.close();
  rmSync(folder, { recursive: true, force: true });
});

function clientOf(of: TestNode, name: string) {
  return createNodeClient({ baseUrl: of.url, pinnedHeads: openPinnedHeads(join(folder, name)) });
}

test('the state at a place, present or absent, in every table', async () => {
  const client = clientOf(node, 'state.json');
  const { custodian, accessAnchor } = node.node.runtime;
  await accessAnchor.confirm();
  const nobody = new Uint8Array(32).fill(7);
  const said = async (...subject: Parameters<typeof client.proveState>): Promise<string> =>
    verifyReceipt(await client.proveState(...subject)).statements.join('\n');
  const ids = [custodian.accountId];
  assert.match(await said({ table: 'party', ids }), /a organisation of|an organisation of/);
  assert.match(await said({ table: 'account', ids }), new RegExp(`key ${toHex(custodian.publicKey)}`));
  assert.match(await said({ table: 'access-anchor', ids }), /\d+ entries, root/);
  assert.match(await said({ table: 'consent', ids: [nobody] }), /the ledger has no consent/);
  assert.match(await said({ table: 'delegate', ids: [nobody, nobody] }), /the ledger has no delegation/);
  assert.match(
    await said({ table: 'record-chain', ids: [custodian.accountId, nobody] }),
    /has no chain of record/,
  );
});

test('a state question that makes no sense is refused as such', async () => {
  const id = 'ab'.repeat(32);
  const paths = [
    `nonsense/${id}`,
    `account/${id}/${id}`,
    `delegate/${id}`,
    'account/xyz',
    `__proto__/${id}`,
    `account/${id}00`,
  ];
  for (const path of paths) {
    const answer = await fetch(`${node.url}/ledger/proofs/state/${path}`);
    assert.equal(answer.status, 400, path);
  }
  assert.equal((await fetch(`${node.url}/ledger/proofs/key/${id}`)).status, 404);
  for (const query of ['0?size=0', '5?size=5', '0?size=999999999', 'x?size=1', '0'])
    assert.equal((await fetch(`${node.url}/ledger/proofs/access/${query}`)).status, 400, query);
});

test('a write that the ledger does not take is told to be stored, is counted, and is put there later', async () => {
  const { engine, recordAnchor, vault } = node.node.runtime;
  const token = await node.token('clinician');
  const submit = engine.submit;
  engine.submit = () => Promise.reject(new AppError('busy', 'no room'));
  try {
    const answer = await writeObservation(token, 'late');
    assert.equal(answer.status, 504);
    assert.match(await answer.text(), /is stored here.*do not send it again/);
    assert.deepEqual(
      (await vault.pendingCommitments()).map(({ key }) => key.id),
      ['late'],
    );
    assert.equal(await gauge('careledger_records_left_over'), 1);
    const bundle = bundleOf([{ resourceType: 'Patient', id: 'late' }]);
    await assert.rejects(importBundle(node.node.runtime, bundle), {
      code: 'timeout',
      message: /^The version is stored here/,
    });
    assert.match(await notes(), /2 stored versions are not on the ledger yet/);
  } finally {
    engine.submit = submit;
  }
  // One that was under way meanwhile may have met the busy engine.
  await recordAnchor.anchorLeftOvers().catch(() => recordAnchor.anchorLeftOvers());
  assert.equal(await gauge('careledger_records_left_over'), 0);
  assert.doesNotMatch(await notes(), /not on the ledger/);
  const receipt = await fetch(`${node.url}/records/Observation/late/receipt`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(receipt.status, 200);
});

test('a receipt for what is its author’s alone is for the author alone', async () => {
  const { custodian, chainId } = node.node.runtime;
  const colleague = createKey('a colleague');
  const publicKey = fromHex(colleague.publicKey) as Uint8Array;
  const possessionProof = provePossession(chainId, custodian.accountId, publicKey, colleague.seed);
  await custodian.submit('register-practitioner', [
    encodeRegistration({ publicKey, possessionProof, roles: ['physician'] }),
  ]);
  const author = await node.token('clinician');
  const headers = { 'content-type': 'application/fhir+json' };
  const body = JSON.stringify({
    resourceType: 'Binary',
    id: 'scan',
    contentType: 'text/plain',
    data: 'eA==',
  });
  assert.equal((await node.fhir('Binary/scan', author, { method: 'PUT', headers, body })).status, 201);
  const statuses = async (token: string) =>
    Promise.all(
      ['Binary/scan', 'Binary/scan/1'].map(async (path) => {
        const url = `${node.url}/records/${path}/receipt`;
        return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
      }),
    );
  assert.deepEqual(await statuses(author), [200, 200]);
  assert.deepEqual(await statuses(await sessionToken(node.url, colleague)), [404, 404]);
});

function writeObservation(token: string, id: string): Promise<Response> {
  const subject = { reference: 'Patient/ana' };
  const body = JSON.stringify({
    resourceType: 'Observation',
    id,
    status: 'final',
    code: { text: 'x' },
    subject,
  });
  const headers = { 'content-type': 'application/fhir+json' };
  return node.fhir(`Observation/${id}`, token, { method: 'PUT', headers, body });
}

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

async function notes(): Promise<string> {
  const found: string[] = [];
  await auditNode(node.node.runtime, ({ finding }) => {
    if (finding !== undefined) found.push((finding as NodeFinding).what);
  });
  return found.join('\n');
}

test('receipts from before, between and after changes of key say which key signed', async () => {
  const client = clientOf(node, 'keys.json');
  const party = node.demoKey('institute');
  const account = fromHex(party.accountId) as Uint8Array;
  const seeds = [party.seed, new Uint8Array(32).fill(61), new Uint8Array(32).fill(62)];
  const submit = async (name: 'rotate-key' | 'anchor-access-log', part: Uint8Array, seed: Uint8Array) => {
    const place = await client.signingPlace(account);
    const { contract, action } = ACTIONS[name];
    const draft = {
      chainId: place.chainId,
      contract,
      action,
      signer: account,
      sequence: place.nextSequence,
      lastValidHeight: place.height + 100,
      parts: [part],
    };
    const transaction = signTransaction(draft, seed);
    const { answer } = await client.submit(encodeTransaction(transaction));
    assert.equal(answer.result, 'ok');
    return transactionId(transaction.header);
  };
  const ids: Uint8Array[] = [];
  for (const [at, seed] of seeds.entries()) {
    const anchor = encodeAnchorAccessLog({
      logSize: at,
      logRoot: new Uint8Array(32).fill(at),
      nonce: new Uint8Array(16),
    });
    ids.push(await submit('anchor-access-log', anchor, seed));
    const next = seeds[at + 1];
    if (next === undefined) continue;
    const { chainId } = node.node.runtime;
    const newKey = publicKeyOf(next);
    const possessionProof = provePossession(chainId, account, newKey, next);
    await submit('rotate-key', encodeRotateKey({ newKey, possessionProof }), seed);
  }
  const said: string[] = [];
  for (const id of ids) said.push((await client.receipt(id)).verdict.statements.join('\n'));
  assert.match(said[0] as string, /valid signature.*by the key that the account is named after\./);
  assert.match(
    said[1] as string,
    new RegExp(`by the key ${toHex(publicKeyOf(seeds[1] as Uint8Array))}.*one change`),
  );
  assert.match(
    said[2] as string,
    new RegExp(`by the key ${toHex(publicKeyOf(seeds[2] as Uint8Array))}.*2 changes`),
  );
  const key = await (await fetch(`${node.url}/ledger/proofs/key/${party.accountId}`)).text();
  assert.match(verifyReceipt(key).statements.join(), /has signed with the key .*2 changes/);
  assert.ok(readParty(node.node.runtime.engine.state, account));
});

test('a node collects cosignatures, tells how many and how old, and keeps what all signed when one goes', async () => {
  const names = ['witness.example/one', 'witness.example/two'];
  const ports = [await freePort(), await freePort()] as const;
  const keys = names.map((name, at) => keyOf(name, at));
  const witnesses = keys.map((key, at) => ({ url: `http://127.0.0.1:${ports[at]}`, key }));
  const own = await startTestNode({ witnesses, cosignEveryMs: 60_000, withSamples: false });
  try {
    const { engine, chainId, opened } = own.node.runtime;
    assert.equal((await fetch(`${own.url}/ledger/checkpoint?cosigned`)).status, 404, 'nobody is there yet');
    assert.match(await metricsOf(own), /^careledger_witnesses 2$[\s\S]*careledger_witnesses_signed 0$/m);
    const logs = [
      { origin: checkpointOrigin(chainId), keys: [operatorVerifierKey(chainId, opened.genesis.operatorKey)] },
    ];
    await anchor(own, 1);
    const running = await Promise.all(names.map((name, at) => startWitness(name, at, ports[at] ?? 0, logs)));
    await askNow(own);
    const note = await (await fetch(`${own.url}/ledger/checkpoint`)).text();
    for (const name of names) assert.ok(note.includes(`— ${name} `), note);
    const client = clientOf(own, 'cosigned.json');
    await client.head();
    await running[1]?.close();
    await anchor(own, 2);
    await askNow(own);
    assert.match(await metricsOf(own), /careledger_witnesses_signed 1$/m);
    assert.match(await metricsOf(own), /careledger_witness_unreachable_total [1-9]/);
    const page = (await (await fetch(`${own.url}/`)).json()) as {
      witnesses: { signed: number; ageSeconds: number };
    };
    assert.equal(page.witnesses.signed, 1);
    assert.ok(page.witnesses.ageSeconds < 60);
    // An older head than the pinned one, under both; and one that leads to the pinned one.
    const id = await idOfLeaf(own, 0);
    const { receipt, verdict } = await client.receipt(id, { cosigned: true });
    assert.ok(verifyReceipt(receipt, { witnesses: keys, quorum: 2 }).ok);
    assert.ok(verdict.checkpoint.height < engine.head().height);
    const newest = (await client.receipt(id)).receipt;
    assert.equal(verifyReceipt(newest, { witnesses: keys, quorum: 2 }).code, 'quorum-missing');
    assert.ok(verifyReceipt(newest, { witnesses: keys, quorum: 1 }).ok);
    assert.ok(parseReceipt(newest).ok);
    await running[0]?.close();
  } finally {
    await own.close();
  }
});

test('a witness that saw another history does not sign, and the node says so in its log', async () => {
  const port = await freePort();
  const witnesses = [{ url: `http://127.0.0.1:${port}`, key: keyOf('witness.example/three', 2) }];
  const own = await startTestNode({ witnesses, cosignEveryMs: 60_000, withSamples: false });
  try {
    const { chainId, opened, cosigner, engine } = own.node.runtime;
    const logs = [
      { origin: checkpointOrigin(chainId), keys: [operatorVerifierKey(chainId, opened.genesis.operatorKey)] },
    ];
    const witness = await startWitness('witness.example/three', 2, port, logs);
    const forged = signCheckpoint(
      { ...engine.head(), chainId, logSize: engine.head().logSize + 5, logRoot: new Uint8Array(32).fill(9) },
      opened.keys.operatorSeed,
    );
    assert.equal(witness.cosign(`old 0\n\n${forged}`), 200);
    await askNow(own);
    assert.match(own.logged(), /witness-conflict/);
    assert.equal(cosigner.status().signed, 0);
    await witness.close();
  } finally {
    await own.close();
  }
});

/** The round of the start may still be on its way: the second call begins after it. */
async function askNow(of: TestNode): Promise<void> {
  await of.node.runtime.cosigner.round();
  await of.node.runtime.cosigner.round();
}

async function anchor(of: TestNode, logSize: number): Promise<void> {
  const logRoot = new Uint8Array(32).fill(logSize);
  const anchor = encodeAnchorAccessLog({ logSize, logRoot, nonce: new Uint8Array(16) });
  await of.node.runtime.custodian.submit('anchor-access-log', [anchor]);
}

function seedOf(at: number): Uint8Array {
  return new Uint8Array(32).fill(90 + at);
}

function keyOf(name: string, at: number) {
  return witnessKey(formatVerifierKey({ name, kind: 'witness', publicKey: publicKeyOf(seedOf(at)) }));
}

async function startWitness(name: string, at: number, port: number, logs: WatchedLog[]) {
  const stateFile = join(folder, `${name.replace('/', '-')}.db`);
  if (!existsSync(stateFile)) initWitnessState(stateFile, publicKeyOf(seedOf(at)));
  const witness = createWitness({
    stateFile,
    seed: seedOf(at),
    name,
    logs,
    now: Date.now,
  });
  const server = await startWitnessServer(witness, { host: '127.0.0.1', port });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await server.close();
    witness.close();
  };
  after(close);
  return { cosign: (body: string) => witness.addCheckpoint(body).status, close };
}

async function idOfLeaf(of: TestNode, index: number): Promise<Uint8Array> {
  const recorded = await of.node.runtime.engine.block(1);
  const decoded = decodeTransaction(recorded?.block.transactions[index] as Uint8Array);
  assert.ok(decoded.ok);
  return transactionId(decoded.value.header);
}

async function metricsOf(of: TestNode): Promise<string> {
  return (await fetch(`${of.url}/metrics`)).text();
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
