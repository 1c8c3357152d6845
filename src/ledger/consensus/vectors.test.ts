import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toBase64, toHex } from '../../shared/index.ts';
import { headerHash } from './block-header.ts';
import { verifyAdjacent, verifySelf, verifySkipping } from './light-block.ts';
import {
  decodeBlockHeader,
  decodeLightBlock,
  encodeBlockHeader,
  encodeLightBlock,
} from './light-block-codec.ts';
import { readRecorded } from './testing/light-chain.ts';
import { validatorAddress, validatorSetOf } from './validator-set.ts';

const VECTORS = new URL('../../../vectors/consensus/light-blocks.json', import.meta.url);
const {
  chainName: CHAIN_NAME,
  genesis: GENESIS_TRUST,
  blocks: RECORDED,
} = readRecorded(JSON.parse(readFileSync(VECTORS, 'utf8')));
const limits = (nowMs: number) => ({ nowMs, trustingPeriodMs: 3_600_000, maxClockDriftMs: 10_000 });
const NOW = limits(Number((RECORDED.at(-1)?.block.header.timeNs ?? 0n) / 1_000_000n) + 1000);

test('the headers, sets and addresses that CometBFT recorded have the hashes it gave them', () => {
  assert.ok(RECORDED.length > 20);
  for (const { block, addresses } of RECORDED) {
    assert.equal(toHex(headerHash(block.header)), toHex(block.commit.blockId.hash));
    const set = validatorSetOf(block.validators);
    assert.ok(set.ok);
    assert.equal(toHex(set.value.hash), toHex(block.header.validatorsHash));
    assert.deepEqual(
      block.validators.map(({ publicKey }) => toHex(validatorAddress(publicKey)).toUpperCase()),
      addresses,
    );
  }
});

test('blocks have the bytes in files that the vectors say, and are read from them alone', () => {
  const file = new URL('../../../vectors/consensus/encodings.json', import.meta.url);
  const { blocks } = JSON.parse(readFileSync(file, 'utf8')) as {
    blocks: readonly { height: number; header: string; lightBlock: string }[];
  };
  assert.equal(blocks.length, 2);
  for (const { height, header, lightBlock } of blocks) {
    const block = RECORDED[height - 1]?.block;
    assert.ok(block);
    assert.equal(toBase64(encodeBlockHeader(block.header)), header);
    assert.equal(toBase64(encodeLightBlock(block)), lightBlock);
  }
  for (const { block } of RECORDED) {
    assert.deepEqual(decodeLightBlock(encodeLightBlock(block)), { ok: true, value: block });
    assert.deepEqual(decodeBlockHeader(encodeBlockHeader(block.header)), { ok: true, value: block.header });
  }
});

test('every recorded block verifies from the genesis, one after the other, each with most of the power', () => {
  let trusted = GENESIS_TRUST;
  for (const { block } of RECORDED) {
    const verified = verifyAdjacent(trusted, block, NOW);
    assert.ok(verified.ok, verified.ok ? '' : `${block.header.height}: ${verified.error}`);
    const { power, totalPower } = verified.value.signed;
    assert.ok(power * 3 > totalPower * 2 && power <= totalPower);
    trusted = verified.value.trusted;
  }
});

test('skipping works as far as more than a third of the trusted power signed', () => {
  let reached = 0;
  let refused = 0;
  for (const from of RECORDED) {
    const trusted = verifySelf(from.block, CHAIN_NAME);
    assert.ok(trusted.ok);
    for (const { block } of RECORDED) {
      if (block.header.height <= from.block.header.height) continue;
      const verified = verifySkipping(trusted.value.trusted, block, NOW);
      const shared = from.block.validators.filter(({ publicKey }) =>
        block.validators.some((one) => toHex(one.publicKey) === toHex(publicKey)),
      );
      // Every validator has one vote here, and all of the shared ones may have signed.
      if (shared.length * 3 <= from.block.validators.length) assert.equal(verified.ok, false);
      if (verified.ok) reached += 1;
      else {
        refused += 1;
        assert.equal(verified.error, 'trusted-power-missing');
      }
    }
  }
  assert.ok(reached > 50 && refused > 10, `${reached} reached, ${refused} refused`);
});
