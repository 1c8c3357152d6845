import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { encodeRegistration, provePossession } from '../src/contracts/index.ts';
import { encodeTransaction, signTransaction, type TransactionDraft } from '../src/ledger/index.ts';
import { createKey } from '../src/node/index.ts';
import { fromHex } from '../src/shared/index.ts';
import { startTestNode, type TestNode } from './node-fixture.ts';

const CANARIES = ['CanaryName', 'canaryurl', 'CanaryToken', 'canary-query', 'CanaryFamily'];

let node: TestNode;
let clinician: string;
before(async () => {
  node = await startTestNode();
  clinician = await node.token('clinician');
});
after(() => node.close());

interface Outcome {
  resourceType?: string;
  issue?: { code: string; severity: string }[];
  title?: string;
}

async function expectOutcome(answer: Response, status: number): Promise<Outcome> {
  const body = (await answer.json()) as Outcome;
  assert.equal(answer.status, status, JSON.stringify(body));
  assert.equal(body.resourceType, 'OperationOutcome');
  assert.ok(body.issue?.[0]?.code);
  return body;
}

async function expectProblem(answer: Response, status: number, code: string): Promise<void> {
  const body = (await answer.json()) as Outcome;
  assert.deepEqual([answer.status, body.title], [status, code], JSON.stringify(body));
  assert.match(answer.headers.get('content-type') ?? '', /application\/problem\+json/);
}

const createPatient = (body: string, type = 'application/fhir+json') =>
  node.fhir('Patient', clinician, { method: 'POST', body, headers: { 'content-type': type } });

const post = (path: string, body: unknown) =>
  fetch(node.url + path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

test('a body of 100 MB is refused by its declared length, and by its real one when it declares none', async () => {
  const before = process.memoryUsage().rss;
  assert.equal(await sendBody(100 * 1024 * 1024, true), 413);
  assert.equal(await sendBody(100 * 1024 * 1024, false), 413);
  assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  assert.equal((await fetch(`${node.url}/healthz`)).status, 200);
});

/** Sends zeros to `POST /fhir/R4/Patient` and gives the status that came. */
function sendBody(bytes: number, declared: boolean): Promise<number> {
  const chunk = Buffer.alloc(1024 * 1024, ' ');
  const headers = { authorization: `Bearer ${clinician}`, ...(declared && { 'content-length': bytes }) };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${node.url}/fhir/R4/Patient`, { method: 'POST', headers }, (answer) => {
      answered = true;
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    let answered = false;
    let sent = 0;
    const pump = (): void => {
      while (!answered && sent < bytes) {
        sent += chunk.length;
        if (!outgoing.write(chunk)) return void outgoing.once('drain', pump);
      }
      outgoing.end();
    };
    outgoing.on('error', (error) => (answered ? undefined : reject(error)));
    pump();
  });
}

test('ten thousand levels of nesting are refused on every door', async () => {
  const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
  await expectOutcome(await createPatient(deep), 400);
  await expectOutcome(await createPatient('['.repeat(10_000)), 400);
  await expectProblem(
    await fetch(`${node.url}/wallet/enrol`, { method: 'POST', body: '['.repeat(5000) }),
    400,
    'nesting-too-deep',
  );
});

test('malformed, mistyped and mislabelled bodies are refused with an outcome', async () => {
  await expectOutcome(await createPatient('{"resourceType":"Patient"'), 400);
  await expectOutcome(await createPatient('"Patient"'), 400);
  await expectOutcome(await createPatient('null'), 400);
  assert.ok([400, 422].includes((await createPatient('{"resourceType":"Patient","birthDate":7}')).status));
  assert.ok([400, 422].includes((await createPatient('{"resourceType":"Patient","name":"text"}')).status));
  assert.ok([400, 422].includes((await createPatient('{"resourceType":"Observation"}')).status));
  const compressed = await node.fhir('Patient', clinician, {
    method: 'POST',
    body: 'x',
    headers: { 'content-encoding': 'gzip' },
  });
  await expectOutcome(compressed, 415);
});

test('without a token, with a wrong one, or a malformed one: 401 that says how to get one', async () => {
  for (const authorization of [
    undefined,
    'Bearer x',
    `Bearer ${'A'.repeat(43)}`,
    `Basic ${clinician}`,
    'Bearer',
    `Bearer ${clinician} x`,
  ]) {
    const answer = await fetch(
      `${node.url}/fhir/R4/Patient/ana`,
      authorization === undefined ? {} : { headers: { authorization } },
    );
    await expectOutcome(answer, 401);
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer realm="careledger"/);
  }
});

test('an address where nothing is, and a method that is not there', async () => {
  await expectProblem(await fetch(`${node.url}/no/such/thing`), 404, 'not-found');
  await expectProblem(await fetch(`${node.url}/ledger/transactions`), 404, 'not-found');
  await expectProblem(await fetch(`${node.url}/ledger/accounts/xyz`), 400, 'invalid-request');
  await expectProblem(await fetch(`${node.url}/ledger/accounts/${'0'.repeat(64)}`), 404, 'not-found');
  await expectProblem(await fetch(`${node.url}/ledger/receipts/${'0'.repeat(64)}`), 404, 'not-found');
  await expectProblem(
    await fetch(`${node.url}/ledger/proofs/consistency?from=9&to=2`),
    400,
    'invalid-request',
  );
  await expectProblem(await fetch(`${node.url}/ledger/proofs/consistency?from=1e9`), 400, 'invalid-request');
});

test('headers that are too long and bytes that are not HTTP end in an answer, not in a crash', async () => {
  assert.match(
    await sendRaw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  assert.match(await sendRaw('\x00\x01 not http at all\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(
    await sendRaw('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'),
    /^HTTP\/1\.1 400 /,
  );
  assert.equal((await fetch(`${node.url}/readyz`)).status, 200);
});

function sendRaw(text: string): Promise<string> {
  const { hostname, port } = new URL(node.url);
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setEncoding('latin1');
    socket.on('data', (data: string) => {
      received += data;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
  });
}

/** A transaction of the demo institute that registers a practitioner, right but for what `wish` changes. */
function registration(wish: Partial<TransactionDraft> = {}): Uint8Array {
  const { chainId, engine } = node.node.runtime;
  const institute = node.demoKey('institute');
  const signer = fromHex(institute.accountId) as Uint8Array;
  const key = createKey('new');
  const publicKey = fromHex(key.publicKey) as Uint8Array;
  const possessionProof = provePossession(chainId, signer, publicKey, key.seed);
  const part = encodeRegistration({ publicKey, possessionProof, roles: [] });
  const lastValidHeight = engine.head().height + 100;
  const draft = {
    chainId,
    contract: 1,
    action: 2,
    signer,
    sequence: 1,
    lastValidHeight,
    parts: [part],
    ...wish,
  };
  return encodeTransaction(signTransaction(draft, institute.seed));
}

const submit = (bytes: Uint8Array) =>
  fetch(`${node.url}/ledger/transactions`, { method: 'POST', body: bytes as Uint8Array<ArrayBuffer> });

test('transactions for another chain, expired, ahead of their turn, replayed or damaged never enter a block', async () => {
  const { engine } = node.node.runtime;
  const before = engine.head().height;
  const refused = async (bytes: Uint8Array, reason: RegExp, status = 422): Promise<void> => {
    const answer = await submit(bytes);
    const body = (await answer.json()) as { detail: string };
    assert.equal(answer.status, status, body.detail);
    assert.match(body.detail, reason);
  };
  await refused(registration({ chainId: new Uint8Array(32) }), /wrong-chain/);
  await refused(registration({ lastValidHeight: 0 }), /expired/);
  await refused(registration({ lastValidHeight: 10_000_000 }), /valid-too-long/);
  await refused(registration({ sequence: 7 }), /sequence-gap/);
  await refused(registration({ sequence: 0 }), /sequence-replayed/);
  await refused(registration({ signer: new Uint8Array(32).fill(1) }), /unknown-signer/);
  await refused(registration({ action: 99 }), /unknown-action/);
  const flipped = registration();
  flipped[flipped.length - 1] = (flipped[flipped.length - 1] as number) ^ 1;
  await refused(flipped, /canonical/, 400);
  await refused(new Uint8Array(10), /canonical/, 400);
  await refused(new Uint8Array(0), /canonical/, 400);
  assert.equal((await submit(new Uint8Array(2 * 1024 * 1024))).status, 413);
  assert.equal(engine.head().height, before, 'nothing was recorded');
  const right = registration();
  assert.equal((await submit(right)).status, 201);
  const again = (await (await submit(right)).json()) as { height: number };
  assert.equal(again.height, before + 1, 'the same transaction again is answered, not recorded twice');
});

test('a party that is registered twice, and a role that does not exist, are refused', async () => {
  const { registerParty } = await import('../src/node/admin/parties.ts');
  const { custodian, chainId } = node.node.runtime;
  const key = createKey('twice');
  const publicKey = fromHex(key.publicKey) as Uint8Array;
  const possessionProof = provePossession(chainId, custodian.accountId, publicKey, key.seed);
  const party = { kind: 'practitioner' as const, publicKey, possessionProof, roles: ['nurse'] };
  await registerParty(custodian, party);
  await assert.rejects(registerParty(custodian, party), {
    code: 'transaction-refused',
    message: /party-exists/,
  });
  await assert.rejects(registerParty(custodian, { ...party, roles: ['wizard'] }), {
    code: 'invalid-request',
  });
});

test('enrolment: wrong types, a wrong code, no proof of the key', async () => {
  const hex = (bytes: number): string => 'a'.repeat(2 * bytes);
  const whole = { code: 'AAAA-AAAA-AAAA-AAAA', publicKey: hex(32), proof: hex(64), sealingKey: hex(32) };
  await expectProblem(await post('/wallet/enrol', []), 400, 'invalid-request');
  await expectProblem(await post('/wallet/enrol', { ...whole, code: 7 }), 400, 'invalid-request');
  await expectProblem(await post('/wallet/enrol', { ...whole, publicKey: 'xyz' }), 400, 'invalid-request');
  await expectProblem(
    await post('/wallet/enrol', { ...whole, proof: `${hex(63)}zz` }),
    400,
    'invalid-request',
  );
  await expectProblem(await post('/wallet/enrol', whole), 403, 'enrolment-refused');
  const { code } = await node.node.runtime.enrolment.issueCode('bram');
  await expectProblem(await post('/wallet/enrol', { ...whole, code }), 403, 'enrolment-refused');
  await assert.rejects(node.node.runtime.enrolment.issueCode('nobody'), { code: 'not-found' });
});

test("only the patient's own signature changes a consent", async () => {
  await expectProblem(await post('/wallet/consents', { transaction: 'AAAA' }), 400, 'malformed-transaction');
  await expectProblem(await post('/wallet/consents', { transaction: '!' }), 400, 'invalid-request');
  const bytes = Buffer.from(registration({ sequence: 2 })).toString('base64');
  await expectProblem(await post('/wallet/consents', { transaction: bytes }), 400, 'malformed-transaction');
  assert.equal((await fetch(`${node.url}/wallet/accesses`)).status, 401);
  const asClinician = await fetch(`${node.url}/wallet/accesses`, {
    headers: { authorization: `Bearer ${clinician}` },
  });
  await expectProblem(asClinician, 403, 'forbidden');
});

test('no name, id, query or token that was sent is in anything the node logged, measured or answered in an error', async () => {
  const [name, path, token, query, family] = CANARIES as [string, string, string, string, string];
  const answers = [
    await createPatient(JSON.stringify({ resourceType: 'Patient', name: [{ given: [name], family }] })),
    await createPatient(`{"resourceType":"Patient","name":"${name}"}`),
    await createPatient(`{"resourceType":"Patient", ${name}`),
    await node.fhir(`Patient/${path}?${query}=${name}`, clinician),
    await node.fhir(`Patient?name=${name}&${query}=1`, clinician),
    await node.fhir(`${path}/${path}/${path}`, clinician),
    await fetch(`${node.url}/${path}/${name}?${query}`),
    await fetch(`${node.url}/fhir/R4/Patient/${path}`, { headers: { authorization: `Bearer ${token}` } }),
    await post('/wallet/enrol', { code: token, publicKey: name, proof: family, sealingKey: path }),
  ];
  for (const answer of answers) await answer.text();
  const metrics = await (await fetch(`${node.url}/metrics`)).text();
  const logged = node.logged();
  assert.match(logged, /"route":"\/fhir\/R4\/:type\/:id"/);
  for (const canary of [...CANARIES, clinician, 'ana', 'Petrov']) {
    const word = new RegExp(`\\b${canary}\\b`, 'i');
    assert.doesNotMatch(logged, word, `the log holds ${canary}`);
    assert.doesNotMatch(metrics, word, `the metrics hold ${canary}`);
  }
});

test('only JSON is spoken: anything else is refused by its name, and HEAD answers as GET without a body', async () => {
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    node.fhir(path, clinician, { method, headers });
  for (const type of ['text/plain', 'application/fhir+xml', 'application/xml'])
    await expectOutcome(await createPatient('{"resourceType":"Patient"}', type), 415);
  for (const accept of ['application/fhir+xml', 'text/html'])
    await expectOutcome(await ask('Patient/none', { accept }), 406);
  for (const format of ['xml', 'ttl', 'text/html'])
    await expectOutcome(await ask(`Patient?_format=${format}`), 406);
  for (const format of ['json', 'application/fhir%2Bjson', 'application/fhir+json'])
    assert.equal((await ask(`metadata?_format=${format}`)).status, 200, format);
  const browser = 'text/html,application/xhtml+xml,*/*;q=0.8';
  assert.equal((await ask('metadata', { accept: browser })).status, 200);
  const created = await createPatient('{"resourceType":"Patient"}');
  const { id } = (await created.json()) as { id: string };
  const head = await ask(`Patient/${id}`, {}, 'HEAD');
  assert.deepEqual([head.status, head.headers.get('etag'), await head.text()], [200, 'W/"1"', '']);
  assert.equal((await ask('Patient/none', {}, 'HEAD')).status, 404);
  assert.equal((await fetch(`${node.url}/fhir/R4/metadata`, { method: 'HEAD' })).status, 200);
});
