/** `careledger compare` against nodes that serve blocks with keys of this test: honest, lying, forked. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatForkEvidence, headReceipt } from '../src/client/index.ts';
import { TestChain } from '../src/contracts/testing/test-chain.ts';
import { accountIdOf, publicKeyOf } from '../src/identity/index.ts';
import { consortiumGenesis, founders, makeChain } from '../src/ledger/consensus/testing/consortium-chain.ts';
import { makeLightBlock, signingValidator } from '../src/ledger/consensus/testing/light-chain.ts';
import {
  chainIdOf,
  consensusChainName,
  encodeGenesis,
  encodeLightBlock,
  type Genesis,
  headerHash,
  type LightBlock,
} from '../src/ledger/index.ts';
import { decodeCard, encodeNetwork } from '../src/node/index.ts';
import { encodeCard } from '../src/node/network/network-card.ts';
import { assembleNetwork, genesisOfNetwork } from '../src/node/network/network-file.ts';
import { sha256, toHex, utf8 } from '../src/shared/index.ts';
import { consortiumHead, FOUNDERS } from './support/consortium-head.ts';
import { ProofChain } from './support/proof-chain.ts';
import { type Run, runHere } from './support/run-cli.ts';

const LENGTH = 12;
const START_MS = Date.now() - 60_000;
const VALIDATORS = founders(4);
const GENESIS: Genesis = { ...consortiumGenesis(VALIDATORS), timeMs: START_MS };
const CHAIN = toHex(chainIdOf(GENESIS));
const root = mkdtempSync(join(tmpdir(), 'careledger-compare-'));
const at = (name: string): string => join(root, name);
const plan = {
  genesis: GENESIS,
  validatorsAt: () => VALIDATORS,
  length: LENGTH,
  timeMsAt: (height: number) => START_MS + height,
};
const honest = makeChain(plan);
const forked = makeChain({ ...plan, after: honest.slice(0, 5), dataHash: sha256(utf8('another history')) });
const lying = honest.map((block) => ({ ...block, header: { ...block.header, appHash: new Uint8Array(32) } }));

const servers: Server[] = [];
after(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(root, { recursive: true, force: true });
});

async function serve(blocks: readonly LightBlock[]): Promise<string> {
  const server = createServer((request, response) => {
    const height = /^\/ledger\/light-blocks\/(newest|\d+)$/.exec(request.url ?? '')?.[1];
    const block = height === 'newest' ? blocks.at(-1) : blocks[Number(height) - 1];
    if (request.url === '/ledger/genesis') response.end(encodeGenesis(GENESIS));
    else if (block === undefined) response.writeHead(404).end();
    else response.end(encodeLightBlock(block));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let homes = 0;

function compare(urls: readonly string[], ...words: readonly string[]): Promise<Run> {
  const nodes = urls.flatMap((url) => ['--node', url]);
  homes += 1;
  return runHere(['compare', ...nodes, ...words], { CARELEDGER_HOME: at(`home-${homes}`) });
}

describe('careledger compare', () => {
  let [a, b, forger, liar] = ['', '', '', ''];
  before(async () => {
    [a, b, forger, liar] = (await Promise.all([honest, honest, forked, lying].map(serve))) as [
      string,
      string,
      string,
      string,
    ];
  });

  test('verifies the newest block and says who has the same', async () => {
    const run = await compare([a, b], '--chain', CHAIN);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /Block 12 of the consortium "consortium"/);
    assert.match(run.stdout, /signed by 4 of 4 validators, with 40 of 40 votes/);
    assert.ok(run.stdout.includes(`the same at: ${b}`));
    const json = await compare([a, b], '--json');
    assert.equal(JSON.parse(json.stdout).chainId, CHAIN);
  });

  test('names the node that lies, and fails', async () => {
    const run = await compare([liar, a, b], '--chain', CHAIN);
    assert.equal(run.status, 5);
    assert.ok(run.stdout.includes(`LIED about block 12: ${liar} (wrong-block)`));
    assert.ok(run.stderr.includes(`${liar} lied about block 12`));
  });

  test('keeps the proof of a fork, which verify reads offline and names who signed twice', async () => {
    const run = await compare([a, forger], '--chain', CHAIN, '--out', at('fork.json'));
    assert.equal(run.status, 5);
    assert.match(run.stderr, /The chain is forked/);
    const proven = await runHere(['verify', at('fork.json'), '--chain', CHAIN], {
      CARELEDGER_HOME: at('home'),
    });
    assert.equal(proven.status, 0, proven.stderr);
    assert.match(proven.stdout, /THE CHAIN WAS FORKED[\s\S]*signed two blocks in one round/);
    for (const { publicKey } of VALIDATORS) assert.ok(proven.stdout.includes(toHex(publicKey)));
    const other = await runHere(['verify', at('fork.json'), '--chain', '00'.repeat(32)], {
      CARELEDGER_HOME: at('home'),
    });
    assert.equal(other.status, 5);
  });

  test('shows no fork of blocks that somebody signed with keys of their own', async () => {
    const own = { chainName: consensusChainName(GENESIS), height: 1000, timeMs: START_MS + 1000 };
    const validators = [signingValidator('a moment ago', 40)];
    const blocks = [1, 2].map((one) =>
      makeLightBlock({ ...own, validators, appHash: sha256(Uint8Array.of(one)) }),
    ) as [LightBlock, LightBlock];
    writeFileSync(at('forged.json'), formatForkEvidence(GENESIS, { path: [blocks[0]], blocks }) ?? '');
    const run = await runHere(['verify', at('forged.json'), '--chain', CHAIN], {
      CARELEDGER_HOME: at('home'),
    });
    assert.equal(run.status, 5);
    assert.doesNotMatch(run.stdout, /FORKED/);
  });

  test('takes no other chain, no bad anchor and no ledger of one operator', async () => {
    assert.equal((await compare([a, b], '--chain', '00'.repeat(32))).status, 3);
    assert.equal((await compare([a, b], '--anchor', 'x')).status, 2);
    assert.equal((await compare([])).status, 2);
    const hash = toHex(headerHash((honest[7] as LightBlock).header));
    assert.equal((await compare([a, b], '--anchor', `8:${hash}`)).status, 0);
  });
});

test('verify names the organisations of a network file', async () => {
  const seeds = FOUNDERS.map((_, index) => sha256(utf8(`custodian ${index}`)));
  const names = ['North', 'South', 'East', 'West'];
  const cards = FOUNDERS.map(({ publicKey }, index) => {
    const seed = seeds[index] as Uint8Array;
    const card = {
      organisation: names[index] as string,
      address: `${index}.example:26656`,
      custodianKey: publicKeyOf(seed),
      nodeKey: publicKeyOf(sha256(utf8(`node ${index}`))),
      consensusKey: publicKey,
      nodeId: `${index}`.repeat(40),
    };
    return decodeCard(encodeCard(card, seed));
  });
  const file = assembleNetwork('Region', 1000, cards);
  writeFileSync(at('network.json'), encodeNetwork(file));
  const chain = new ProofChain(new TestChain(genesisOfNetwork(file)));
  chain.chain.executeForOutput();
  writeFileSync(at('head.json'), headReceipt(consortiumHead(chain)));
  const verify = (...words: readonly string[]) =>
    runHere(['verify', at('head.json'), ...words], { CARELEDGER_HOME: at('home') });
  const named = await verify('--network', at('network.json'));
  assert.equal(named.status, 0, named.stderr);
  for (const [index, name] of names.entries())
    assert.ok(
      named.stdout.includes(
        `${name} (organisation ${toHex(accountIdOf(publicKeyOf(seeds[index] as Uint8Array)))})`,
      ),
    );
  assert.doesNotMatch((await verify()).stdout, /North/);
  assert.equal((await verify('--network', at('network.json'), '--chain', CHAIN)).status, 2);
});
