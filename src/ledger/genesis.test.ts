import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf } from '../identity/index.ts';
import { decodeGenesis, encodeGenesis, type Genesis, type GenesisValidator } from './genesis.ts';

const key = (byte: number) => publicKeyOf(new Uint8Array(32).fill(byte));
const validator = (byte: number, organisation = 0, power = 10): GenesisValidator => ({
  consensusKey: key(byte),
  organisation,
  power,
});
const genesisWith = (validators: readonly GenesisValidator[]): Genesis => ({
  networkName: 'test',
  timeMs: 1,
  operatorKey: key(1),
  organisationKeys: [2, 3, 4, 5].map(key),
  validators,
});
const isTaken = (validators: readonly GenesisValidator[]): boolean =>
  decodeGenesis(encodeGenesis(genesisWith(validators))).ok;
const four = (powers: readonly number[]) => powers.map((power, place) => validator(10 + place, place, power));

test('a genesis with and without validators decodes to itself, and to nothing with bytes added or taken', () => {
  for (const validators of [[], [validator(9)], four([10, 10, 10, 10])]) {
    const bytes = encodeGenesis(genesisWith(validators));
    const decoded = decodeGenesis(bytes);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, genesisWith(validators));
    assert.equal(decodeGenesis(Uint8Array.of(...bytes, 0)).ok, false);
    for (let length = 0; length < bytes.length; length += 1)
      assert.equal(decodeGenesis(bytes.subarray(0, length)).ok, false);
  }
});

test('validators have keys of their own, organisations that are there, and powers in range', () => {
  assert.equal(isTaken([validator(9), validator(9, 1)]), false);
  assert.equal(isTaken([validator(9, 3)]), true);
  assert.equal(isTaken([validator(9, 4)]), false);
  assert.equal(isTaken([validator(9, 0, 0)]), false);
  assert.equal(isTaken([validator(9, 0, 1_000_000)]), true);
  assert.equal(isTaken([validator(9, 0, 1_000_001)]), false);
});

test('organisations have keys of their own', () => {
  const twice = { ...genesisWith([]), organisationKeys: [key(2), key(2)] };
  assert.equal(decodeGenesis(encodeGenesis(twice)).ok, false);
});

test('of four organisations none may have the third of the power that stops the others', () => {
  assert.equal(isTaken(four([10, 10, 10, 10])), true);
  assert.equal(isTaken(four([14, 10, 10, 9])), true);
  assert.equal(isTaken(four([15, 10, 10, 10])), false);
  assert.equal(isTaken([...four([8, 8, 8, 8]), validator(20, 0, 7)]), false, 'with two keys together');
  assert.equal(isTaken(four([10, 10, 10])), true, 'of three each has one third at least');
});
