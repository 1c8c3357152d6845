import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BLOCK_INTERVAL_MS,
  consortiumGenesis,
  founders,
  GENESIS_TIME_MS,
  makeChain,
} from '../../ledger/consensus/testing/consortium-chain.ts';
import { signingValidator } from '../../ledger/consensus/testing/light-chain.ts';
import { seededNumbers, tamper } from '../../ledger/consensus/testing/tampering.ts';
import {
  decodeLightBlock,
  encodeLightBlock,
  type LightBlock,
  type LightError,
  type TrustedBlock,
  trustConsortium,
  verifyChain,
  verifyNext,
} from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import { createLightClient } from './light-client.ts';

const TAMPERINGS = 1000;
const LENGTH = 12;
const FOUNDERS = founders(4);
const GENESIS = consortiumGenesis(FOUNDERS);
/** A newcomer takes a founder's place in the middle, and one founder never signs. */
const blocks = makeChain({
  genesis: GENESIS,
  length: LENGTH,
  validatorsAt: (height) =>
    height < 7 ? FOUNDERS : [...FOUNDERS.slice(1), signingValidator('newcomer', 10)],
  vote: (_, place) => (place === 3 ? 'absent' : 'commit'),
});
const limits = {
  nowMs: GENESIS_TIME_MS + LENGTH * BLOCK_INTERVAL_MS + 5000,
  trustingPeriodMs: 3_600_000,
  maxClockDriftMs: 10_000,
};
const beginning = trustConsortium(GENESIS);
assert.ok(beginning.ok);

/** What is trusted at each height, from the genesis on. */
const trusted: TrustedBlock[] = [beginning.value];
for (const block of blocks) {
  const verified = verifyNext(trusted.at(-1) as TrustedBlock, block, limits);
  assert.ok(verified.ok, 'the untouched chain holds');
  trusted.push(verified.value.trusted);
}

/** A change that leaves a block what it was: none of its bytes differ. */
function isSame(left: LightBlock, right: LightBlock): boolean {
  try {
    return toHex(encodeLightBlock(left)) === toHex(encodeLightBlock(right));
  } catch {
    return false;
  }
}

test(`${TAMPERINGS} tampered headers, commits and validator sets are refused, each in every way to verify it`, async () => {
  const random = seededNumbers(20_261_121);
  const reasons = new Map<LightError, number>();
  let done = 0;
  while (done < TAMPERINGS) {
    const height = 1 + Math.floor(random() * LENGTH);
    const from = trusted[Math.floor(random() * height)] as TrustedBlock;
    const whole = blocks[height - 1] as LightBlock;
    const part = (['header', 'commit', 'validators'] as const)[Math.floor(random() * 3)] ?? 'header';
    const forged: LightBlock = { ...whole, [part]: tamper<unknown>(whole[part], random) };
    if (isSame(forged, whole)) continue;
    done += 1;
    const refused = verifyNext(from, forged, limits);
    assert.ok(!refused.ok, `tampering ${done} of the ${part} of block ${height} was accepted`);
    reasons.set(refused.error, (reasons.get(refused.error) ?? 0) + 1);
    assert.equal(verifyChain(from, [forged]).ok, false);
    const path = blocks.slice(from.height, height - 1);
    assert.equal(verifyChain(from, [...path, forged]).ok, false);
    if (done % 10 === 0) await assertClientRefuses(forged, height);
  }
  assert.ok(reasons.size >= 6, [...reasons].join(' '));
});

async function assertClientRefuses(forged: LightBlock, height: number): Promise<void> {
  const lightBlock = async () => forged;
  const client = createLightClient({
    genesis: GENESIS,
    sources: [{ name: 'liar', lightBlock }],
    now: () => limits.nowMs,
  });
  await assert.rejects(client.verify(height), { code: 'proof-refused' });
}

test('every bit of an encoded block that is flipped is noticed', () => {
  const whole = blocks[8] as LightBlock;
  const bytes = encodeLightBlock(whole);
  const from = trusted[8] as TrustedBlock;
  const decoded = decodeLightBlock(bytes);
  assert.ok(decoded.ok && verifyNext(from, decoded.value, limits).ok);
  for (let at = 0; at < bytes.length; at += 1) {
    const forged = decodeLightBlock(bytes.with(at, (bytes[at] as number) ^ (1 << (at % 8))));
    if (forged.ok) assert.equal(verifyNext(from, forged.value, limits).ok, false, `byte ${at}`);
  }
  for (const length of [0, 10, bytes.length - 1])
    assert.equal(decodeLightBlock(bytes.slice(0, length)).ok, false);
  assert.equal(decodeLightBlock(Uint8Array.of(...bytes, 0)).ok, false);
});
