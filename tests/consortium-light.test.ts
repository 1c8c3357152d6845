/** Receipts and light clients over real blocks of ours, by CometBFT. Skipped where neither its binary nor Go is there. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createLightClient, type LightSource, verifyFile, verifyText } from '../src/client/index.ts';
import { encodeOpenProposal, readValidators } from '../src/contracts/index.ts';
import {
  cometBftOrReason,
  type LocalNetwork,
  startLocalNetwork,
} from '../src/engine/cometbft/testing/local-network.ts';
import { randomRounds, submitRounds } from '../src/engine/cometbft/testing/random-rounds.ts';
import {
  enrolment,
  SAMPLE_TIME_MS,
  sampleBytes,
  sampleSigner,
  signedAction,
} from '../src/engine/sample-chain.ts';
import { accountIdOf, publicKeyOf } from '../src/identity/index.ts';
import { decodeTransaction, encodeGenesis, transactionId } from '../src/ledger/index.ts';
import { type ConsensusProver, createConsensusProver } from '../src/node/ledger/consensus-prover.ts';
import { createReceiptDesk } from '../src/node/ledger/receipts.ts';
import { toHex } from '../src/shared/index.ts';
import type { AccessLog } from '../src/vault/index.ts';

/** The genesis of the sample chain is from the beginning of 2026. */
const TRUSTING_PERIOD_MS = Date.now() - SAMPLE_TIME_MS + 3_600_000;
const root = mkdtempSync(join(tmpdir(), 'careledger-consortium-'));
after(() => rmSync(root, { recursive: true, force: true }));
const found = await cometBftOrReason();
const options = 'reason' in found ? { skip: found.reason } : { timeout: 300_000 };

describe('on real blocks of a consortium', options, () => {
  let network: LocalNetwork;
  let prover: ConsensusProver;
  let first: Uint8Array;
  const engine = () => (network.validators[0] as LocalNetwork['validators'][number]).engine;

  before(async () => {
    const binary = 'binary' in found ? found.binary : '';
    network = await startLocalNetwork(binary, { folder: join(root, 'network'), size: 1 });
    const rounds = randomRounds(network.chain, 3, 10, 5);
    await submitRounds([engine()], rounds);
    const decoded = decodeTransaction(rounds[0]?.[0] as Uint8Array);
    assert.ok(decoded.ok);
    first = transactionId(decoded.value.header);
    const { rpcUrl } = network.validators[0] as LocalNetwork['validators'][number];
    prover = createConsensusProver(network.chain.genesis, rpcUrl);
  });
  after(() => network?.close());

  const desk = () =>
    createReceiptDesk({
      engine: engine(),
      accessLog: {} as AccessLog,
      genesis: network.chain.genesis,
      custodian: new Uint8Array(32),
      cosigner: { withCosignatures: (note) => note, covering: () => undefined },
      prove: (note) => prover.proofOf(note),
    });

  test('a receipt holds offline from the pinned genesis, and names the organisation that signed', async () => {
    const { genesis, chainId } = network.chain;
    const file = join(root, 'receipt.json');
    writeFileSync(file, await desk().ofTransaction(first));
    const verdict = await verifyFile(file, { chainId });
    assert.ok(verdict.ok, verdict.code);
    const words = verdict.statements.join('\n');
    assert.match(words, /which 1 of 1 validators signed, with 10 of 10 votes/);
    assert.ok(words.includes(toHex(accountIdOf(genesis.organisationKeys[0] as Uint8Array))));
    assert.match(words, /is recorded at height 1/);
    const head = verifyText(await desk().ofHead(), { chainId });
    assert.ok(head.ok && head.checkpoint.height === engine().head().height);
    assert.equal(head.checkpoint.timeMs, engine().head().timeMs);
    assert.equal(
      verifyText(engine().head().checkpoint, { chainId, genesis: genesisBytes() }).code,
      'consensus-missing',
    );
  });

  test('a light client follows it, and names a source that lies about it', async () => {
    const { genesis } = network.chain;
    const honest: LightSource = { ...prover.blocks, name: 'honest' };
    const liar: LightSource = {
      name: 'liar',
      async lightBlock(height) {
        const block = await honest.lightBlock(height);
        return block && { ...block, header: { ...block.header, appHash: new Uint8Array(32) } };
      },
    };
    const client = createLightClient({
      genesis,
      sources: [liar, honest, { ...honest, name: 'other' }],
      now: Date.now,
      trustingPeriodMs: TRUSTING_PERIOD_MS,
    });
    const { head, agreeing, liars } = await client.verify();
    assert.deepEqual(agreeing, ['other']);
    assert.deepEqual(
      liars.map(({ source, reason }) => [source, reason]),
      [['liar', 'wrong-block']],
    );
    assert.deepEqual(toHex(head.block.header.appHash), toHex(engine().head().appHash));
    for (let height = 1; height < head.trusted.height; height += 1)
      assert.equal((await client.verify(height)).head.trusted.height, height);
  });

  test('after a vote on the validators, receipts and light clients go on, and name whose the new ones are', async () => {
    const { chain } = network;
    const { custodian, chainId } = chain;
    const consensusKey = publicKeyOf(sampleBytes(1, 'a validator that is not there yet'));
    const validators = [{ consensusKey, organisation: custodian.accountId, power: 4 }];
    const draft = { lastHeight: 1000, change: { kind: 'set-validators', validators } } as const;
    const open = await engine().submit(
      signedAction(chain, custodian, 'open-proposal', [encodeOpenProposal(draft)]),
    );
    assert.equal(open.code, 0);
    assert.equal(readValidators(engine().state).length, 2, 'the vote of the one member decides');
    // An update counts from two blocks after its own.
    for (const name of ['one', 'two', 'three'])
      await engine().submit(enrolment(chain, sampleSigner(9, name)));
    const verdict = verifyText(await desk().ofTransaction(open.transactionId), { chainId });
    assert.ok(verdict.ok, verdict.code);
    assert.match(verdict.statements.join('\n'), /which 1 of 2 validators signed, with 10 of 14 votes/);
    const sources = [prover.blocks, { ...prover.blocks, name: 'other' }];
    const client = createLightClient({
      genesis: chain.genesis,
      sources,
      now: Date.now,
      trustingPeriodMs: TRUSTING_PERIOD_MS,
    });
    const { head } = await client.verify();
    assert.equal(head.trusted.validators.totalPower, 14);
  });

  const genesisBytes = (): Uint8Array => encodeGenesis(network.chain.genesis);
});
