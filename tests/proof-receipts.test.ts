/** Receipts of every kind: what they prove, and that no changed byte and no forged field passes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AccountKeyProof,
  accountKeyReceipt,
  concealReceipt,
  discloseConsent,
  discloseRecord,
  parseReceipt,
  type ReceiptKind,
  stateReceipt,
  type Trust,
  transactionReceipt,
  verifyReceipt,
  verifyText,
} from '../src/client/index.ts';
import { formatReceipt, type Receipt } from '../src/client/receipts/receipt-format.ts';
import { consentKey, encodeRevokeConsent } from '../src/contracts/index.ts';
import { actor } from '../src/contracts/testing/test-chain.ts';
import { toHex, utf8 } from '../src/shared/index.ts';
import { ProofChain, witnessOf } from './support/proof-chain.ts';
import { CONTENT, RECORD, SALT, sampleReceipts } from './support/sample-receipts.ts';

const WITNESS = witnessOf('witness.example/one', 90);
const { chain, grant, patient, receipts } = sampleReceipts(WITNESS);
const CHAIN_ID = chain.chain.chainId;
const TRUST: Trust = { chainId: CHAIN_ID, witnesses: [WITNESS.key], quorum: 1 };
const KINDS = Object.keys(receipts) as ReceiptKind[];

function statementsOf(kind: ReceiptKind, trust: Trust = TRUST): { proven: string; open: string } {
  const verdict = verifyReceipt(receipts[kind], trust);
  assert.equal(verdict.code, 'verified');
  return { proven: verdict.statements.join('\n'), open: verdict.notProven.join('\n') };
}

test('every kind of receipt verifies, and says that one operator runs the ledger and which witness co-signed', () => {
  for (const kind of KINDS) {
    const { proven, open } = statementsOf(kind);
    assert.match(proven, /run by one operator/);
    assert.match(proven, /1 of the 1 witnesses that you trust co-signed it .*witness\.example\/one/);
    assert.match(open, /after height/);
  }
});

test('a receipt says what it proves of its own subject', () => {
  assert.match(statementsOf('transaction').proven, /grant-consent.* is recorded at height 3.*accepted/s);
  assert.match(
    statementsOf('record-version').proven,
    /version 1 of Observation\/ana-hba1c, is exactly what was committed to/,
  );
  assert.match(statementsOf('access-entry').proven, /Entry 3 of the access log .*first 5 entries/);
  assert.match(statementsOf('state').proven, /active, version 1/);
  assert.match(
    statementsOf('consent').proven,
    /terms in the file are those that were committed to.*consent is active, at version 1/s,
  );
});

test('without trust of your own a receipt holds only for the chain it names, and says so', () => {
  const { proven, open } = statementsOf('transaction', {});
  assert.doesNotMatch(proven, /witness/);
  assert.match(open, /no witnesses were named/);
  assert.match(open, /the chain you mean/);
  assert.match(open, /same history/);
});

test('another chain, an untrusted witness and a missing quorum are refused', () => {
  const other = witnessOf('witness.example/other', 91);
  assert.equal(verifyReceipt(receipts.transaction, { chainId: new Uint8Array(32) }).code, 'wrong-chain');
  assert.equal(
    verifyReceipt(receipts.transaction, { witnesses: [other.key], quorum: 1 }).code,
    'quorum-missing',
  );
  const short = verifyReceipt(receipts.transaction, { witnesses: [WITNESS.key, other.key], quorum: 2 });
  assert.equal(short.code, 'quorum-missing');
  assert.match(
    short.notProven.join(),
    /Of the 2 that you require, 1 co-signed: witness\.example\/one.* missing: witness\.example\/other/,
  );
});

for (const kind of KINDS) {
  test(`every changed byte of a receipt of kind ${kind} is refused`, () => {
    const bytes = utf8(receipts[kind]);
    for (const mask of [0x01, 0x20]) {
      for (let index = 0; index < bytes.length; index += 1) {
        const changed = bytes.slice();
        changed[index] = (changed[index] as number) ^ mask;
        assert.equal(verifyReceipt(changed).ok, false, `byte ${index}, mask ${mask}`);
      }
    }
  });

  test(`every forged field of a receipt of kind ${kind} is refused, although its digest is right`, () => {
    const parsed = parseReceipt(receipts[kind]);
    assert.ok(parsed.ok);
    const forgeries = forge(parsed.value) as Receipt[];
    assert.ok(forgeries.length > 10);
    for (const forgery of forgeries) {
      const text = formatReceipt(forgery);
      assert.notEqual(text, receipts[kind]);
      const verdict = verifyReceipt(text, TRUST);
      assert.equal(verdict.ok, false, text);
      assert.notEqual(verdict.code, 'receipt-damaged');
    }
  });
}

test('a cut, extended or reformatted receipt is refused', () => {
  const text = receipts.consent;
  const value: unknown = JSON.parse(text);
  const changes = [
    `${text}\n`,
    ` ${text}`,
    text.slice(0, -1),
    text + text,
    JSON.stringify(value, null, 1),
    text.replace('{', '{"a":1,'),
    '',
    'null',
    '[]',
    '{}',
  ];
  for (const changed of changes) assert.equal(verifyReceipt(changed).ok, false, changed.slice(0, 40));
  assert.equal(verifyReceipt('['.repeat(200_000)).code, 'receipt-malformed');
  assert.equal(verifyReceipt(' '.repeat((3 << 20) + 1)).code, 'receipt-too-large');
});

test('a record is named by a type and ids alone: a file writes no sentence into its own verdict', () => {
  const receipt = parseReceipt(receipts['record-version']);
  assert.ok(receipt.ok && receipt.value.kind === 'record-version' && receipt.value.body.opening);
  const { body } = receipt.value;
  for (const [member, value] of [
    ['resourceType', 'Patient/1, is true.\n  + Three'],
    ['id', 'witnesses.\u001b[8m'],
    ['subject', 'a b'],
  ]) {
    const opening = { ...receipt.value.body.opening, [member as string]: value };
    const forged = formatReceipt({ ...receipt.value, body: { ...body, opening } });
    assert.equal(verifyReceipt(forged, TRUST).code, 'receipt-malformed', member);
  }
});

test('a receipt of one kind cannot be passed off as another', () => {
  for (const kind of KINDS) {
    for (const other of KINDS) {
      // A consent's receipt holds all that a receipt of its transaction does, and each all that one of its head does.
      if (kind === other || other === 'head' || (kind === 'consent' && other === 'transaction')) continue;
      const parsed = parseReceipt(receipts[kind]);
      assert.ok(parsed.ok);
      let isRefused = false;
      try {
        isRefused = !verifyReceipt(formatReceipt({ ...parsed.value, kind: other } as Receipt), TRUST).ok;
      } catch {
        isRefused = true;
      }
      assert.ok(isRefused, `${kind} as ${other}`);
    }
  }
});

test("a signature by a key that is not shown to be the signer's is refused", () => {
  const parsed = parseReceipt(receipts.transaction);
  assert.ok(parsed.ok && parsed.value.kind === 'transaction');
  const { body } = parsed.value;
  const withKey = (publicKey: Uint8Array) =>
    verifyReceipt(
      formatReceipt({ ...parsed.value, body: { ...body, signer: { publicKey, rotations: [] } } } as Receipt),
    );
  assert.equal(withKey(actor(50).publicKey).code, 'signer-unproven');
  const dropped = verifyReceipt(
    formatReceipt({ ...parsed.value, body: { ...body, signer: null } } as Receipt),
  );
  assert.ok(dropped.ok);
  assert.match(dropped.notProven.join(), /rely on the operator/);
});

test('a receipt says with which key was signed, before and after changes of key, without any state', () => {
  const own = new ProofChain();
  const first = own.chain.hospital;
  own.addAccess('a');
  const before = own.anchorAccesses();
  const second = own.rotateKey(first, actor(60));
  own.addAccess('b');
  const between = own.anchorAccesses(second);
  const third = own.rotateKey(second, actor(61));
  own.addAccess('c');
  const after = own.anchorAccesses(third);
  const receiptOf = (index: number, signer = own.keyOf(first, index)): string =>
    transactionReceipt(own.head(), { ...own.recorded(index, first), signer });
  const said = [before, between, after].map((index) => verifyReceipt(receiptOf(index)).statements.join('\n'));
  assert.match(said[0] as string, /by the key that the account is named after\./);
  assert.match(
    said[1] as string,
    new RegExp(`by the key ${toHex(second.publicKey)}, its own since height 2: one change`),
  );
  assert.match(
    said[2] as string,
    new RegExp(`by the key ${toHex(third.publicKey)}, its own since height 4: 2 changes`),
  );
  const { publicKey, rotations } = own.keyOf(first, after);
  const refused = (signer: AccountKeyProof, code: string, index = after): void =>
    assert.equal(verifyReceipt(receiptOf(index, signer)).code, code);
  refused({ publicKey, rotations: rotations.slice(0, 1) }, 'signature-invalid');
  refused({ publicKey, rotations: rotations.slice(1) }, 'signer-unproven');
  refused({ publicKey, rotations: rotations.toReversed() }, 'signer-unproven');
  refused({ publicKey: third.publicKey, rotations: [] }, 'signer-unproven');
  refused({ publicKey, rotations: rotations.slice(0, 1) }, 'signer-unproven', before);
  for (const forgery of forge({ publicKey, rotations }) as AccountKeyProof[])
    assert.equal(verifyReceipt(receiptOf(after, forgery)).ok, false);
  const key = accountKeyReceipt(own.head(), first.id, { publicKey, rotations });
  assert.match(verifyReceipt(key).statements.join(), /has signed with the key/);
});

test('absence is proven, and a present consent is not absent', () => {
  const missing = new Uint8Array(32).fill(200);
  const { proof } = chain.prove(consentKey(missing));
  const absent = verifyReceipt(
    stateReceipt(chain.head(), { table: 'consent', ids: [missing] }, undefined, proof),
  );
  assert.match(absent.statements.join(), /has no consent/);
  const present = chain.prove(consentKey(grant.consentId));
  assert.equal(
    verifyReceipt(
      stateReceipt(chain.head(), { table: 'consent', ids: [grant.consentId] }, undefined, present.proof),
    ).code,
    'state-proof-invalid',
  );
});

test('a receipt tells when its consent was revoked later', () => {
  const { chain: own, grant: granted, patient: owner } = sampleReceipts();
  const revocation = own.record(
    owner,
    'revoke-consent',
    encodeRevokeConsent({ consentId: granted.consentId, expectedVersion: 1 }),
  );
  const state = own.evidence(consentKey(granted.consentId));
  const text = verifiedConsent(own, 2, state, granted);
  assert.match(text, /consent is revoked, at version 2/);
  assert.match(verifyRevocation(own, revocation), /It revokes consent/);
  assert.equal(toHex(owner.id), toHex(patient.id));

  function verifyRevocation(on: ProofChain, index: number): string {
    const receipt = formatReceipt({
      kind: 'consent',
      ...on.head(),
      body: { ...on.recorded(index, owner), opening: null, state: null },
    });
    return verifyReceipt(receipt).statements.join('\n');
  }

  function verifiedConsent(
    on: ProofChain,
    index: number,
    current: typeof state,
    { salt, terms }: typeof granted,
  ): string {
    const receipt = formatReceipt({
      kind: 'consent',
      ...on.head(),
      body: { ...on.recorded(index, owner), opening: { salt, terms }, state: current },
    });
    return verifyReceipt(receipt).statements.join('\n');
  }
});

test('the holder of a receipt conceals and discloses the content, and nothing else opens the commitment', () => {
  const { salt, terms } = grant;
  const concealed = concealReceipt(receipts.consent);
  assert.ok(!concealed.includes(toHex(salt)));
  assert.match(verifyReceipt(concealed, TRUST).notProven.join(), /does not open the commitment/);
  assert.equal(discloseConsent(concealed, { salt, terms }), receipts.consent);
  assert.equal(
    verifyReceipt(discloseConsent(concealed, { salt: new Uint8Array(32), terms })).code,
    'commitment-mismatch',
  );
  const record = concealReceipt(receipts['record-version']);
  assert.match(verifyReceipt(record, TRUST).notProven.join(), /does not carry its content/);
  const opening = { salt: SALT, subject: 'ana', ...RECORD, content: CONTENT };
  assert.equal(discloseRecord(record, opening), receipts['record-version']);
  for (const change of [
    { subject: 'bob' },
    { subject: null },
    { id: 'other' },
    { version: 2 },
    { content: utf8('{}') },
  ]) {
    assert.equal(
      verifyReceipt(discloseRecord(record, { ...opening, ...change })).code,
      'commitment-mismatch',
    );
  }
});

test('a checkpoint alone is verified against the genesis', () => {
  const { genesis, checkpoint } = chain.head(WITNESS);
  assert.equal(verifyText(checkpoint, { ...TRUST, genesis }).code, 'verified');
  assert.equal(
    verifyText(checkpoint.replace('height 5', 'height 6'), { ...TRUST, genesis }).code,
    'signature-invalid',
  );
  assert.throws(() => verifyText(checkpoint), /genesis/);
});

/** Every variant of a value in which one byte, number or text differs. */
function forge(value: unknown): unknown[] {
  if (value instanceof Uint8Array)
    return value.length === 0 ? [] : [flip(value, 0), flip(value, value.length - 1)];
  if (typeof value === 'number') return [value + 1];
  if (typeof value === 'string') return value.length < 200 ? [] : noteForgeries(value);
  if (Array.isArray(value))
    return value.flatMap((item, index) => [
      ...forge(item).map((other) => value.with(index, other)),
      value.toSpliced(index, 1),
    ]);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    forge(member).map((other) => ({ ...value, [name]: other })),
  );
}

function flip(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.with(index, (bytes[index] as number) ^ 1);
}

/** Of the checkpoint: each line dropped. */
function noteForgeries(note: string): string[] {
  const lines = note.split('\n');
  return lines.slice(0, -1).map((_, index) => lines.toSpliced(index, 1).join('\n'));
}
