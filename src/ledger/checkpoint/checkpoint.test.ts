import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf, verifySignature } from '../../identity/index.ts';
import { toHex, utf8 } from '../../shared/index.ts';
import {
  addCosignatures,
  type Checkpoint,
  cosign,
  formatCheckpoint,
  formatVerifierKey,
  noteKeyId,
  operatorVerifierKey,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signCheckpoint,
  type VerifierKey,
  verifyCheckpoint,
} from './index.ts';

const seed = (fill: number) => new Uint8Array(32).fill(fill);
const OPERATOR = seed(1);
const CHECKPOINT: Checkpoint = {
  chainId: new Uint8Array(32).fill(7),
  height: 12,
  timeMs: 1_760_000_000_123,
  logSize: 40,
  logRoot: new Uint8Array(32).fill(8),
  stateRoot: new Uint8Array(32).fill(9),
};
const NOTE = signCheckpoint(CHECKPOINT, OPERATOR);
const operatorKey = publicKeyOf(OPERATOR);

function witness(name: string, fill: number): { name: string; seed: Uint8Array; key: VerifierKey } {
  return { name, seed: seed(fill), key: { name, kind: 'witness', publicKey: publicKeyOf(seed(fill)) } };
}

function cosigned(note: string, ...witnesses: ReturnType<typeof witness>[]): string {
  const text = formatCheckpoint(CHECKPOINT);
  const lines = witnesses.map((one) => cosign(text, one, 1_760_000_001)).join('');
  const added = addCosignatures(
    note,
    lines,
    witnesses.map(({ key }) => key),
  );
  assert.ok(added.ok);
  return added.value;
}

test('a note and key published with the Go implementation verify', () => {
  const key = parseVerifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
  const note = parseNote(
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
      '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
  );
  assert.ok(key && note.ok);
  const [line] = note.value.signatures;
  assert.equal(line?.keyId, noteKeyId(key));
  assert.ok(line && verifySignature(key.publicKey, utf8(note.value.text), line.signature));
});

test('a checkpoint has the lines that the protocol says', () => {
  const lines = NOTE.split('\n');
  assert.equal(lines[0], `careledger/${'07'.repeat(32)}`);
  assert.equal(lines[1], '40');
  assert.deepEqual(lines.slice(3, 5), ['height 12', 'time 1760000000123']);
  assert.match(lines[5] ?? '', /^state [A-Za-z0-9+/]{43}=$/);
  assert.ok(lines[7]?.startsWith(`\u2014 ${lines[0]} `));
});

test('what was signed verifies and reads back', () => {
  const verified = verifyCheckpoint(NOTE, CHECKPOINT.chainId, { operatorKey });
  assert.ok(verified.ok);
  assert.deepEqual(verified.value, { checkpoint: CHECKPOINT, witnesses: [] });
});

test('every changed byte of a signed checkpoint is refused', () => {
  const bytes = utf8(NOTE);
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] as number) ^ 1;
    const verified = verifyCheckpoint(changed.toString('utf8'), CHECKPOINT.chainId, { operatorKey });
    assert.equal(verified.ok, false, `byte ${index}`);
  }
});

test('another chain, another operator and a missing signature are told apart', () => {
  const code = (...input: Parameters<typeof verifyCheckpoint>) => {
    const verified = verifyCheckpoint(...input);
    return verified.ok ? 'ok' : verified.error;
  };
  assert.equal(code(NOTE, seed(3), { operatorKey }), 'wrong-chain');
  assert.equal(
    code(NOTE, CHECKPOINT.chainId, { operatorKey: publicKeyOf(seed(2)) }),
    'operator-signature-missing',
  );
  const forged = parseNote(NOTE);
  assert.ok(forged.ok);
  const other = NOTE.replace('\n40\n', '\n41\n');
  assert.equal(code(other, CHECKPOINT.chainId, { operatorKey }), 'signature-invalid');
});

test('the text of a checkpoint has one form', () => {
  const text = formatCheckpoint(CHECKPOINT);
  const changes = [
    text.replace('\n40\n', '\n040\n'),
    text.replace('height 12', 'height 012'),
    text.replace('height 12', 'height  12'),
    text.replace('height 12', 'height 9007199254740993'),
    `${text}more\n`,
    text.slice(0, -1),
    text.replace('state ', 'root '),
    text.replace('careledger/', 'CareLedger/'),
    text.replace('height 12\ntime 1760000000123', 'time 1760000000123\nheight 12'),
  ];
  for (const changed of changes) assert.equal(parseCheckpoint(changed).ok, false, changed);
  assert.ok(parseCheckpoint(text).ok);
});

test('a quorum counts different keys, and never the operator', () => {
  const one = witness('witness.example/one', 21);
  const sameKey = witness('witness.example/alias', 21);
  const operator = witness('witness.example/operator', 1);
  const two = witness('witness.example/two', 22);
  const note = cosigned(NOTE, one, sameKey, operator);
  const witnesses = [one.key, sameKey.key, operator.key, two.key];
  const single = verifyCheckpoint(note, CHECKPOINT.chainId, { operatorKey, witnesses, quorum: 1 });
  assert.ok(single.ok);
  assert.deepEqual(single.value.witnesses, [{ name: one.name, timeSeconds: 1_760_000_001 }]);
  assert.deepEqual(verifyCheckpoint(note, CHECKPOINT.chainId, { operatorKey, witnesses, quorum: 2 }), {
    ok: false,
    error: 'quorum-missing',
  });
  assert.ok(
    verifyCheckpoint(cosigned(note, two), CHECKPOINT.chainId, { operatorKey, witnesses, quorum: 2 }).ok,
  );
});

test('a false cosignature of a trusted witness makes the note invalid, one of a stranger is ignored', () => {
  const one = witness('witness.example/one', 21);
  const wrong = cosign(formatCheckpoint({ ...CHECKPOINT, logSize: 41 }), one, 1_760_000_001);
  const note = NOTE + wrong;
  const trusting = verifyCheckpoint(note, CHECKPOINT.chainId, { operatorKey, witnesses: [one.key] });
  assert.deepEqual(trusting, { ok: false, error: 'signature-invalid' });
  assert.ok(verifyCheckpoint(note, CHECKPOINT.chainId, { operatorKey }).ok);
});

test('a repeated signature line is refused', () => {
  const line = NOTE.slice(NOTE.lastIndexOf('\u2014'));
  assert.deepEqual(verifyCheckpoint(NOTE + line, CHECKPOINT.chainId, { operatorKey }), {
    ok: false,
    error: 'signature-repeated',
  });
});

test('a witness can add nothing but its own signature', () => {
  const one = witness('witness.example/one', 21);
  const stranger = cosign(formatCheckpoint(CHECKPOINT), witness('witness.example/stranger', 30), 1);
  const added = addCosignatures(NOTE, stranger + cosign(formatCheckpoint(CHECKPOINT), one, 5), [one.key]);
  assert.ok(added.ok);
  const parsed = parseNote(added.value);
  assert.deepEqual(parsed.ok && parsed.value.signatures.map(({ name }) => name), [
    `careledger/${toHex(CHECKPOINT.chainId)}`,
    one.name,
  ]);
  assert.equal(addCosignatures(NOTE, 'hello\n', [one.key]).ok, false);
});

test('verifier keys have one text', () => {
  const log = operatorVerifierKey(CHECKPOINT.chainId, operatorKey);
  for (const key of [log, witness('witness.example/w+1'.replace('+', '-'), 21).key]) {
    assert.deepEqual(parseVerifierKey(formatVerifierKey(key)), key);
  }
  const text = formatVerifierKey(log);
  const changes = [
    `${text} `,
    text.replace('+', ' +'),
    text.slice(0, -1),
    text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
    '+1234abcd+AQ==',
  ];
  for (const changed of changes) assert.equal(parseVerifierKey(changed), undefined, changed);
});

test('notes that are malformed or too large are refused, whatever they are', () => {
  const notes = [
    '',
    '\n',
    '\n\n',
    'a\n\n',
    `${NOTE} `,
    NOTE.replace('\n\n', '\n'),
    NOTE.replace(' ', '\t'),
    `\ud800${NOTE}`,
    'x'.repeat(70_000),
  ];
  for (const note of notes) assert.equal(parseNote(note).ok, false);
  const many = NOTE + NOTE.slice(NOTE.lastIndexOf('\u2014')).repeat(64);
  assert.deepEqual(parseNote(many), { ok: false, error: 'too-many-signatures' });
});
