/** Receipts and light clients over real blocks of ours, by CometBFT. Skipped where neither its binary nor Go is there. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createLightClient, type LightSource, verifyFile, verifyText } from '../src/client/index.ts';
import {
  cometBftOrReason,
  type LocalNetwork,
  startLocalNetwork,
} from '../src/engine/cometbft/testing/local-network.ts';
import { randomRounds, submitRounds } from '../src/engine/cometbft/testing/random-rounds.ts';
import { accountIdOf } from '../src/identity/index.ts';
import { decodeTransaction, encodeGenesis, transactionId } from '../src/ledger/index.ts';
import { type ConsensusProver, createConsensusProver } from '../src/node/ledger/consensus-prover.ts';
import { createReceiptDesk } from '../src/node/ledger/receipts.ts';
import { toHex } from '../src/shared/index.ts';
import type { AccessLog } from '../src/vault/index.ts';

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
      // The genesis of the sample chain is from the beginning of 2026.
      trustingPeriodMs: Date.now() - genesis.timeMs + 3_600_000,
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

  const genesisBytes = (): Uint8Array => encodeGenesis(network.chain.genesis);
});
