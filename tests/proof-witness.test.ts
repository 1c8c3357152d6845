/** The witness: the statuses of c2sp.org/tlog-witness, memory that outlives it, and no fork ever cosigned. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { collectCosignatures } from '../src/client/index.ts';
import { publicKeyOf } from '../src/identity/index.ts';
import {
  type Checkpoint,
  checkpointOrigin,
  operatorVerifierKey,
  parseVerifierKey,
  signCheckpoint,
  verifyCheckpoint,
} from '../src/ledger/index.ts';
import { createWitness, startWitnessServer, type Witness } from '../src/node/witness/index.ts';
import { openWitnessFolder } from '../src/node/witness/witness-folder.ts';
import { initWitnessState } from '../src/node/witness/witness-state.ts';
import { EMPTY_TREE_ROOT, leafHash, MerkleLog, toBase64, utf8 } from '../src/shared/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-witness-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const OPERATOR = new Uint8Array(32).fill(1);
const SEED: Uint8Array = new Uint8Array(32).fill(9);
const CHAIN_ID = new Uint8Array(32).fill(7);
const operatorKey = publicKeyOf(OPERATOR);
const LOGS = [{ origin: checkpointOrigin(CHAIN_ID), keys: [operatorVerifierKey(CHAIN_ID, operatorKey)] }];
const log = logOf('entry', 20);
const fork = logOf('forged', 20);
let files = 0;

function logOf(text: string, size: number): MerkleLog {
  const tree = new MerkleLog();
  for (let index = 0; index < size; index += 1)
    tree.append(leafHash(utf8(index < 5 ? `shared ${index}` : `${text} ${index}`)));
  return tree;
}

function newFile(): string {
  files += 1;
  const file = join(folder, `witness-${files}.db`);
  initWitnessState(file, publicKeyOf(SEED));
  return file;
}

function witnessAt(stateFile: string, onMisbehaviour = (): void => undefined, seed = SEED): Witness {
  return createWitness({
    stateFile,
    seed,
    name: 'witness.example/w1',
    logs: LOGS,
    now: () => 1_760_000_000_000,
    onMisbehaviour,
  });
}

function note(size: number, tree = log, chainId = CHAIN_ID, seed = OPERATOR, root = tree.root(size)): string {
  const checkpoint: Checkpoint = {
    chainId,
    height: size,
    timeMs: size,
    logSize: size,
    logRoot: root,
    stateRoot: EMPTY_TREE_ROOT,
  };
  return signCheckpoint(checkpoint, seed);
}

function body(oldSize: number, proof: readonly Uint8Array[], checkpoint: string): string {
  return `old ${oldSize}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${checkpoint}`;
}

test('a first checkpoint and one that continues it are cosigned, and the cosignatures verify', () => {
  const witness = witnessAt(newFile());
  const key = parseVerifierKey(witness.verifierKey);
  assert.ok(key);
  for (const [from, to] of [
    [0, 5],
    [5, 8],
    [8, 8],
    [8, 20],
  ] as const) {
    const answer = witness.addCheckpoint(body(from, log.consistencyProof(from, to), note(to)));
    assert.equal(answer.status, 200);
    const verified = verifyCheckpoint(note(to) + answer.body, CHAIN_ID, {
      operatorKey,
      witnesses: [key],
      quorum: 1,
    });
    assert.ok(verified.ok);
    assert.equal(verified.value.witnesses[0]?.timeSeconds, 1_760_000_000);
  }
  witness.close();
});

test('each refusal has the status that the specification says', () => {
  const witness = witnessAt(newFile());
  const other = new Uint8Array(32).fill(8);
  assert.equal(witness.addCheckpoint(body(0, [], note(5))).status, 200);
  const proof = log.consistencyProof(5, 8);
  const expectations: [status: number, body: string][] = [
    [404, body(5, proof, note(8, log, other))],
    [403, body(5, proof, note(8, log, CHAIN_ID, new Uint8Array(32).fill(2)))],
    [403, body(5, proof, note(8).replace('\n8\n', '\n9\n'))],
    [400, body(9, proof, note(8))],
    [409, body(0, [], note(8))],
    [409, body(4, log.consistencyProof(4, 8), note(8))],
    [409, body(6, log.consistencyProof(6, 8), note(8))],
    [409, body(5, [], note(5, log, CHAIN_ID, OPERATOR, log.root(6)))],
    [422, body(5, [], note(8))],
    [422, body(5, proof.slice(1), note(8))],
    [422, body(5, [...proof, ...proof], note(8))],
    [422, body(5, [EMPTY_TREE_ROOT, ...proof.slice(1)], note(8))],
    [422, body(5, proof, note(5))],
  ];
  for (const [status, request] of expectations)
    assert.equal(witness.addCheckpoint(request).status, status, request);
  assert.equal(witness.addCheckpoint(body(5, proof, note(8))).status, 200, 'a refusal changes nothing');
  witness.close();
});

test('a conflict tells the size that was cosigned, as text/x.tlog.size', () => {
  const witness = witnessAt(newFile());
  witness.addCheckpoint(body(0, [], note(8)));
  assert.deepEqual(witness.addCheckpoint(body(0, [], note(12))), {
    status: 409,
    contentType: 'text/x.tlog.size',
    body: '8\n',
  });
  witness.close();
});

test('malformed requests are 400, whatever they are', () => {
  const witness = witnessAt(newFile());
  const good = body(0, [], note(5));
  const bodies = [
    '',
    '\n\n',
    good.replace('old 0', 'old 00'),
    good.replace('old 0', 'old -1'),
    good.replace('old 0', 'Old 0'),
    good.replace('old 0\n', 'old 0\nAAAA\n'),
    good.replace('old 0\n', 'old 0\r\n'),
    good.slice(0, -1),
    good.replace('\n5\n', '\n05\n'),
    body(
      0,
      Array.from({ length: 64 }, () => EMPTY_TREE_ROOT),
      note(5),
    ),
    `old 0\n${note(5)}`,
  ];
  for (const request of bodies) assert.equal(witness.addCheckpoint(request).status, 400, request);
  witness.close();
});

test('a fork is never cosigned, and two roots for one size are reported as evidence', () => {
  let reports = 0;
  const witness = witnessAt(newFile(), () => {
    reports += 1;
  });
  assert.equal(witness.addCheckpoint(body(0, [], note(8))).status, 200);
  assert.equal(witness.addCheckpoint(body(8, [], note(8, fork))).status, 409);
  assert.equal(reports, 1);
  assert.equal(witness.addCheckpoint(body(8, fork.consistencyProof(8, 12), note(12, fork))).status, 422);
  assert.equal(witness.addCheckpoint(body(0, [], note(12, fork))).status, 409);
  witness.close();
});

test('an empty log may be cosigned, and only with the empty root', () => {
  const witness = witnessAt(newFile());
  assert.equal(witness.addCheckpoint(body(0, [], note(0, log, CHAIN_ID, OPERATOR, log.root(1)))).status, 409);
  assert.equal(witness.addCheckpoint(body(0, [], note(0))).status, 200);
  assert.equal(witness.addCheckpoint(body(0, [], note(5))).status, 200);
  witness.close();
});

test('what was cosigned is remembered by the next process, and the state is for one process at a time', () => {
  const file = newFile();
  const first = witnessAt(file);
  assert.equal(first.addCheckpoint(body(0, [], note(8))).status, 200);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.throws(() => witnessAt(file), { code: 'folder-in-use' });
  first.close();
  const second = witnessAt(file);
  assert.equal(second.addCheckpoint(body(0, [], note(12, fork))).status, 409);
  assert.equal(second.addCheckpoint(body(8, log.consistencyProof(8, 12), note(12))).status, 200);
  second.close();
});

test('a witness whose memory is gone, emptied or exchanged signs nothing, and is not made anew under its key', () => {
  const path = join(folder, 'witness');
  const { seed, stateFile } = openWitnessFolder(path);
  assert.deepEqual(openWitnessFolder(path), { seed, stateFile });
  const whole = readFileSync(stateFile);
  for (const other of [new Uint8Array(), readFileSync(newFile())]) {
    writeFileSync(stateFile, other);
    assert.throws(() => witnessAt(stateFile, undefined, seed), { code: 'damaged' });
  }
  rmSync(stateFile);
  assert.throws(() => openWitnessFolder(path), { code: 'damaged' });
  assert.throws(() => witnessAt(stateFile, undefined, seed), { code: 'damaged' });
  writeFileSync(stateFile, whole);
  witnessAt(stateFile, undefined, seed).close();
});

test('a flipped byte in the remembered checkpoint is noticed before anything is signed', () => {
  const file = newFile();
  const witness = witnessAt(file);
  witness.addCheckpoint(body(0, [], note(8)));
  witness.close();
  const bytes = readFileSync(file);
  const place = bytes.indexOf('\n8\n');
  assert.ok(place > 0);
  bytes[place + 1] = '6'.charCodeAt(0);
  writeFileSync(file, bytes);
  const next = witnessAt(file);
  assert.throws(() => next.addCheckpoint(body(6, log.consistencyProof(6, 12), note(12))), {
    code: 'damaged',
  });
  next.close();
  writeFileSync(file, 'this is no state of a witness, but it is long enough to be taken for one'.repeat(100));
  assert.throws(() => witnessAt(file), { code: 'damaged' });
});

test('over HTTP a log collects cosignatures, catches up a witness that is behind, and names one that it contradicts', async () => {
  const witness = witnessAt(newFile());
  const server = await startWitnessServer(witness, { host: '127.0.0.1', port: 0 });
  const key = parseVerifierKey(witness.verifierKey);
  assert.ok(key);
  const address = { url: server.url, key };
  const consistency = async (from: number, to: number) => log.consistencyProof(from, to);
  for (const size of [3, 11, 11, 20]) {
    const { note: signed, outcomes } = await collectCosignatures(
      note(size),
      [address, { url: 'http://127.0.0.1:1', key: { ...key, name: 'down' } }],
      consistency,
    );
    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      ['cosigned', 'unreachable'],
    );
    assert.ok(verifyCheckpoint(signed, CHAIN_ID, { operatorKey, witnesses: [key], quorum: 1 }).ok);
  }
  const forked = await collectCosignatures(note(20, fork), [address], async (from, to) =>
    fork.consistencyProof(from, to),
  );
  assert.deepEqual(forked, {
    note: note(20, fork),
    outcomes: [{ name: key.name, outcome: 'conflict', status: 409 }],
  });
  const older = await collectCosignatures(note(11), [address], consistency);
  assert.equal(older.outcomes[0]?.outcome, 'conflict');
  assert.equal((await fetch(server.url)).status, 404);
  assert.equal((await fetch(`${server.url}/add-checkpoint`)).status, 405);
  assert.equal(
    (await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body: 'x'.repeat(200_000) })).status,
    413,
  );
  assert.equal(
    (await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body: Uint8Array.of(0xff, 0xfe) })).status,
    400,
  );
  await server.close();
  witness.close();
});
