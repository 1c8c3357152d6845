import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change } from '../../contracts/index.ts';
import { encodeChange, encodeOpenProposal } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import { decodeAdmissionRequest, signAdmissionRequest } from './admission-request.ts';
import { changeFromJson, changeToJson } from './change-json.ts';

const bytes = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte);
const validator = (byte: number, power: number) => ({
  consensusKey: bytes(byte),
  organisation: bytes(9),
  power,
});
const changes: readonly Change[] = [
  {
    kind: 'admit-organisation',
    registration: { publicKey: bytes(1), possessionProof: bytes(2, 64), roles: ['hospital', 'laboratory'] },
  },
  { kind: 'remove-organisation', organisation: bytes(3) },
  { kind: 'set-validators', validators: [validator(4, 0), validator(5, 1_000_000)] },
  { kind: 'activate-version', version: 7, height: 12_345 },
];
const isRefused = (value: unknown): boolean => {
  try {
    changeFromJson(value);
    return false;
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'invalid-request', String(error));
    return true;
  }
};

test('a change goes through JSON and comes back with the same bytes', () => {
  for (const change of changes) {
    const again = changeFromJson(JSON.parse(JSON.stringify(changeToJson(change))));
    assert.deepEqual(encodeChange(again), encodeChange(change));
    assert.ok(encodeOpenProposal({ lastHeight: 5, change: again }).length > 0);
  }
});

test('validators may stand in any order in JSON, and stand by ascending key in the change', () => {
  const [low, high] = [validator(4, 1), validator(5, 1)];
  const change = { kind: 'set-validators', validators: [high, low] } as const;
  assert.deepEqual(changeFromJson(changeToJson(change)), { kind: 'set-validators', validators: [low, high] });
});

test('what is no change is refused by name, and never thrown as something else', () => {
  const remove = changeToJson(changes[1] as Change) as Record<string, unknown>;
  const admit = changeToJson(changes[0] as Change) as Record<string, unknown>;
  const listed = (...validators: unknown[]) => ({ kind: 'set-validators', validators });
  const one = { consensusKey: '04'.repeat(32), organisation: '09'.repeat(32), power: 1 };
  const wrong: unknown[] = [
    undefined,
    null,
    7,
    [],
    {},
    { kind: 'other' },
    { ...remove, organisation: 'zz'.repeat(32) },
    { ...remove, organisation: '00' },
    { ...admit, roles: ['chief'] },
    { ...admit, roles: ['toString'] },
    { ...admit, possessionProof: 5 },
    listed(),
    listed(one, one),
    listed({ ...one, power: 1_000_001 }),
    listed({ ...one, power: -1 }),
    listed({ ...one, power: 0.5 }),
    listed(
      ...Array.from({ length: 201 }, (_, at) => ({
        ...one,
        consensusKey: at.toString(16).padStart(64, '0'),
      })),
    ),
    { kind: 'activate-version', version: 2 ** 32, height: 1 },
    { kind: 'activate-version', version: 2, height: '9' },
  ];
  for (const value of wrong) assert.ok(isRefused(value), JSON.stringify(value));
});

test('a request for admission carries its proof and nothing secret; anything else is no request', () => {
  const seed = bytes(77);
  const request = signAdmissionRequest(seed, { chainId: bytes(1), proposer: bytes(2), roles: ['insurer'] });
  const text = JSON.stringify(request);
  assert.deepEqual(decodeAdmissionRequest(text), request);
  assert.doesNotMatch(text, /4d4d4d4d/, 'the seed in hexadecimal');
  assert.equal(changeFromJson(request.change).kind, 'admit-organisation');
  for (const wrong of [
    '',
    '{',
    '7',
    'null',
    '{}',
    text.replace('/v1', '/v2'),
    text.replace('insurer', 'chief'),
  ])
    assert.throws(() => decodeAdmissionRequest(wrong), AppError);
});
