import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  createNodeClient,
  headReceipt,
  openPinnedHeads,
  parseReceipt,
  type ReceiptHead,
  verifyText,
} from '../src/client/index.ts';
import { formatReceipt } from '../src/client/receipts/receipt-format.ts';
import { sealJson } from '../src/client/sealed-json.ts';
import { accountIdOf } from '../src/identity/index.ts';
import { signingValidator } from '../src/ledger/consensus/testing/light-chain.ts';
import { seededNumbers, tamper } from '../src/ledger/consensus/testing/tampering.ts';
import { toHex } from '../src/shared/index.ts';
import { consortiumChain, consortiumHead, FOUNDERS, type HeadPlan } from './support/consortium-head.ts';
import { promiseOf } from './support/log-promise.ts';
import { sampleReceipts, sampleReceiptsOn } from './support/sample-receipts.ts';
import { standInNode } from './support/stand-in-node.ts';

const TAMPERINGS = 1000;
const folder = mkdtempSync(join(tmpdir(), 'careledger-receipts-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const chain = consortiumChain();
const { receipts } = sampleReceiptsOn(chain, () => consortiumHead(chain));
const TRUST = { chainId: chain.chain.chainId };
const { organisationKeys } = chain.chain.genesis;
const organisation = (index: number): string => toHex(accountIdOf(organisationKeys[index] as Uint8Array));

function codeOf(text: string): string {
  return verifyText(text, TRUST).code;
}

function headCode(head: ReceiptHead): string {
  return codeOf(headReceipt(head));
}

function planned(plan: HeadPlan): Required<ReceiptHead> {
  return consortiumHead(chain, plan);
}

describe('the receipt of a consortium', () => {
  test('of every kind holds, and says whose validators signed', () => {
    for (const [kind, receipt] of Object.entries(receipts)) {
      const verdict = verifyText(receipt, TRUST);
      assert.ok(verdict.ok, `${kind}: ${verdict.code}`);
      const words = verdict.statements.join('\n');
      assert.match(words, /The consortium "test" .* decided its head of height 5, 5 entries/);
      assert.match(words, /block 5, which 4 of 4 validators signed, with 40 of 40 votes/);
      for (const index of [0, 1, 2, 3]) assert.ok(words.includes(`organisation ${organisation(index)}`));
      assert.doesNotMatch(words, /operator/);
      assert.match(verdict.notProven.join(), /did not sign another history/);
      assert.equal(verdict.consensus?.signers.length, 4);
    }
  });

  test('names only those who signed, by the names that the reader gives them', () => {
    const head = planned({
      vote: (_, __, { publicKey }) => (publicKey === FOUNDERS[1]?.publicKey ? 'absent' : 'commit'),
    });
    const names = new Map([[organisation(2), 'St. Anne']]);
    const words = verifyText(headReceipt(head), { ...TRUST, organisationNames: names }).statements.join('\n');
    assert.match(words, /3 of 4 validators signed, with 30 of 40 votes/);
    assert.match(words, /St\. Anne \(organisation/);
    assert.ok(!words.includes(organisation(1)));
  });

  test("is refused with an operator's or a node's signature only, and a single operator's with validators'", () => {
    const { genesis, checkpoint, consensus } = planned({});
    assert.equal(headCode({ genesis, checkpoint }), 'consensus-missing');
    assert.equal(verifyText(checkpoint, { ...TRUST, genesis }).code, 'consensus-missing');
    const alone = sampleReceipts();
    const own = alone.chain.head();
    assert.equal(verifyText(headReceipt({ ...own, consensus })).code, 'consensus-unexpected');
    assert.equal(verifyText(headReceipt(own)).code, 'verified');
  });

  test('is refused where too few signed, or strangers, or where nothing leads to those who did', () => {
    assert.equal(
      headCode(planned({ vote: (_, place) => (place < 2 ? 'commit' : 'absent') })),
      'consensus-unproven',
    );
    assert.equal(
      headCode(planned({ vote: (_, place) => (place < 2 ? 'commit' : 'nil') })),
      'consensus-unproven',
    );
    const strangers = [0, 1, 2, 3].map((index) => signingValidator(`stranger ${index}`, 10));
    assert.equal(headCode(planned({ validatorsAt: () => strangers })), 'consensus-unproven');
    const validatorsAt = (height: number) => (height < 4 ? FOUNDERS : strangers);
    assert.equal(headCode(planned({ validatorsAt })), 'consensus-unproven');
    assert.equal(headCode(planned({ validatorsAt, by: [4] })), 'consensus-unproven');
    assert.equal(headCode(planned({ validatorsAt, by: [3] })), 'consensus-unproven');
    // The last block of the founders names the strangers, who decide the next one.
    const handedOver = verifyText(headReceipt(planned({ validatorsAt, by: [3, 4] })), TRUST);
    assert.ok(handedOver.ok);
    const words = handedOver.statements.join('\n');
    assert.match(words, /3 blocks lead to these validators from those of the genesis/);
    assert.match(words, /a validator whose organisation the file does not show/);
  });

  test('says whose the validators are by the state that was decided, and by no other', () => {
    const { consensus, ...head } = planned({});
    const row = consensus.validators as NonNullable<typeof consensus.validators>;
    assert.equal(headCode({ ...head, consensus: { ...consensus, validators: null } }), 'verified');
    const forged = row.value.with(2 + 32, (row.value[2 + 32] as number) ^ 1);
    const other = { ...consensus, validators: { ...row, value: forged } };
    assert.equal(headCode({ ...head, consensus: other }), 'state-proof-invalid');
  });

  test('of a chain where nothing happened yet is of the time of its genesis', () => {
    const fresh = consortiumChain();
    const trust = { chainId: fresh.chain.chainId };
    const head = consortiumHead(fresh, { height: 1 });
    const verdict = verifyText(headReceipt(head), trust);
    assert.ok(verdict.ok && verdict.checkpoint.height === 0);
    const later = { ...head, checkpoint: head.checkpoint.replace('time 1000', 'time 1001') };
    assert.equal(verifyText(headReceipt(later), trust).code, 'head-not-decided');
  });

  test('is what a client of a node asks for, and pins, where validators decide', async () => {
    const own = consortiumChain();
    for (const text of ['a', 'b']) own.addAccess(text);
    own.anchorAccesses();
    const node = standInNode(() => own);
    const client = createNodeClient({
      baseUrl: 'http://node.example',
      fetch: node.fetch,
      trust: { chainId: own.chain.chainId },
      pinnedHeads: openPinnedHeads(join(folder, 'heads.json')),
    });
    assert.equal((await client.head()).checkpoint.height, 1);
    own.anchorAccesses();
    assert.equal((await client.head()).checkpoint.height, 2);
    // The head of a node that signs by itself.
    node.bend = (path) =>
      path === '/ledger/head'
        ? headReceipt({ genesis: own.genesis, checkpoint: own.checkpoint() })
        : undefined;
    await assert.rejects(client.head(), { code: 'proof-refused' });
    const { state } = receipts;
    node.bend = (path) => (path === '/ledger/head' ? state : undefined);
    await assert.rejects(client.head(), 'the receipt of something else is no head');
  });

  test('holds a custodian to its promises as the validators decided, not as a node says', async () => {
    const own = consortiumChain();
    for (const text of ['a', 'b']) own.addAccess(text);
    own.anchorAccesses();
    const client = createNodeClient({ baseUrl: 'http://node.example', fetch: standInNode(() => own).fetch });
    const kept = await client.promiseCase(promiseOf(own, 1, 'b', 1_500));
    assert.match(kept, /"format":"careledger-promise-case\/v2"/);
    const trust = { chainId: own.chain.chainId };
    assert.match(verifyText(kept, trust).statements.join('\n'), /consortium "test"[\s\S]*kept its promise/);
    const broken = await client.promiseCase(promiseOf(own, 1, 'something else', 1_500));
    assert.equal((verifyText(broken, trust) as { promise?: string }).promise, 'broken');
    const { consensus: _, digest: __, ...rest } = JSON.parse(broken) as Record<string, unknown>;
    const alone = sealJson({ ...rest, format: 'careledger-promise-case/v1' });
    assert.equal(verifyText(alone, trust).code, 'consensus-missing');
  });

  test('does not take half of the founders for a hand-over, as a light client with a clock would', () => {
    const half = [
      ...FOUNDERS.slice(0, 2),
      signingValidator('newcomer 0', 10),
      signingValidator('newcomer 1', 10),
    ];
    const validatorsAt = (height: number) => (height < 3 ? FOUNDERS : half);
    assert.equal(headCode(planned({ validatorsAt })), 'consensus-unproven');
    assert.equal(headCode(planned({ validatorsAt, by: [2, 3] })), 'verified');
  });

  test('is refused with another head, another time or another block before than were decided', () => {
    const head = planned({});
    const changes: readonly (readonly [string, string])[] = [
      ['height 5', 'height 6'],
      [`time ${chain.chain.timeMs}`, `time ${chain.chain.timeMs + 1}`],
      ['\n5\n', '\n4\n'],
    ];
    for (const [before, after] of changes) {
      assert.ok(head.checkpoint.includes(before));
      assert.equal(
        headCode({ ...head, checkpoint: head.checkpoint.replace(before, after) }),
        'head-not-decided',
      );
    }
    const { consensus } = head;
    assert.equal(
      headCode({ ...head, consensus: { ...consensus, blockBefore: null } }),
      'consensus-malformed',
    );
    const other = planned({ dataHash: new Uint8Array(32) }).consensus;
    assert.equal(
      headCode({ ...head, consensus: { ...consensus, blockBefore: other.blockBefore } }),
      'consensus-unproven',
    );
    assert.equal(
      headCode({ ...head, consensus: other }),
      'verified',
      'another block with this head is as good',
    );
    const earlier = consortiumHead(chain, { height: 6 });
    assert.equal(
      headCode({ ...head, consensus: { ...consensus, blocks: earlier.consensus.blocks } }),
      'consensus-unproven',
    );
  });

  test('is refused with more blocks than it may carry, or none', () => {
    const head = planned({});
    const [block] = head.consensus.blocks;
    const carrying = (blocks: readonly Uint8Array[]) => ({
      ...head,
      consensus: { ...head.consensus, blocks },
    });
    assert.equal(headCode(carrying([])), 'consensus-unproven');
    assert.equal(
      headCode(carrying(Array.from({ length: 129 }, () => block as Uint8Array))),
      'receipt-malformed',
    );
    const large = new Uint8Array(200 << 10);
    assert.equal(headCode(carrying([large, large, large, large, large])), 'consensus-malformed');
    assert.equal(headCode(carrying([block as Uint8Array, block as Uint8Array])), 'consensus-unproven');
  });

  test(`holds against ${TAMPERINGS} tamperings with its head, its blocks and its proofs, each with a right digest`, () => {
    const random = seededNumbers(7);
    const kinds = Object.values(receipts);
    const refusals = new Set<string>();
    let done = 0;
    while (done < TAMPERINGS) {
      const parsed = parseReceipt(kinds[done % kinds.length] as string);
      assert.ok(parsed.ok);
      const part = random() < 0.6 || parsed.value.kind === 'head' ? 'consensus' : 'body';
      const forged = tampered(parsed.value, part, random);
      if (forged === undefined) continue;
      done += 1;
      const verdict = verifyText(forged, TRUST);
      assert.ok(
        !verdict.ok,
        `tampering ${done} of the ${part} of a receipt of kind ${parsed.value.kind} was accepted`,
      );
      refusals.add(verdict.code);
    }
    assert.ok(refusals.size >= 8, [...refusals].join());
  });
});

type Parsed = Extract<ReturnType<typeof parseReceipt>, { ok: true }>['value'];

/** Undefined for a change that no receipt can express, or that changes nothing. */
function tampered(receipt: Parsed, part: 'consensus' | 'body', random: () => number): string | undefined {
  try {
    const forged = formatReceipt({ ...receipt, [part]: tamper<unknown>(receipt[part], random) } as Parsed);
    return forged === formatReceipt(receipt) ? undefined : forged;
  } catch {
    return undefined;
  }
}
