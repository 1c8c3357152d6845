/**
 * An organisation that takes the ledger over from a snapshot, after the founders' validators have changed: from which block, several
 * members have to say alike, proven from the genesis; and its receipts lead back to the genesis too, although its own blocks do not.
 * Needs CometBFT, or Go to build it; skipped where neither is.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { nodeSourceAt } from '../src/client/index.ts';
import { earliestBlock } from '../src/engine/cometbft/testing/joining-node.ts';
import { freePorts, until } from '../src/engine/cometbft/testing/local-network.ts';
import { decodeLightBlock, encodeLightBlock, type VerifiedBlock } from '../src/ledger/index.ts';
import { decodeNetwork } from '../src/node/index.ts';
import { createConsensusProver } from '../src/node/ledger/consensus-prover.ts';
import { genesisOfNetwork } from '../src/node/network/network-file.ts';
import { cliMembers } from './support/cli-members.ts';
import { skipWithoutCometBft as skip } from './support/cometbft-here.ts';
import { runHere } from './support/run-cli.ts';

const LIMIT_MS = 280_000;
const PATIENCE_MS = 120_000;
const members = cliMembers('cl-sync-');
const { at, cardFile, cardOf, json, start } = members;
const liars: { stop: () => Promise<void> }[] = [];
after(async () => {
  await Promise.all(liars.map((one) => one.stop()));
  await members.remove();
});

async function prepare(name: string, ports: readonly number[]): Promise<void> {
  await members.prepare(name, ports);
  // Three on one address, which CometBFT takes for one host that connects too often.
  const settings = join(at(name), 'network-settings.json');
  writeFileSync(settings, readFileSync(settings, 'utf8').replace('"isLocal": false', '"isLocal": true'));
}

/** Proposed by one founder, carried by the other. */
async function decide(...change: readonly string[]): Promise<void> {
  const { proposalId } = await json('govern', 'propose', ...change, '--data', at('North'));
  const isKnown = async (): Promise<boolean> => {
    const { proposals } = await json('govern', 'list', '--data', at('South'));
    return (proposals as { proposalId: string }[]).some((one) => one.proposalId === proposalId);
  };
  await until('the other founder to see the proposal', isKnown);
  const carried = await json('govern', 'vote', String(proposalId), '--yes', '--data', at('South'));
  assert.equal(carried.status, 'executed');
}

/** A node whose blocks have another appHash than those of the node behind it. */
async function startLiar(honest: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const answer = await fetch(honest + (request.url ?? ''));
    const block = decodeLightBlock(new Uint8Array(await answer.arrayBuffer()));
    if (!block.ok) return void response.writeHead(404).end();
    const { header, ...rest } = block.value;
    response.end(encodeLightBlock({ ...rest, header: { ...header, appHash: new Uint8Array(32) } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  liars.push({ stop: () => new Promise((resolve) => void server.close(() => resolve())) });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a CometBFT that joins may ask is not a door to the rest of its RPC. */
async function answersNothingElse(url: string): Promise<void> {
  const ask = (request: object) =>
    fetch(`${url}/ledger/consensus`, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', ...request }),
    });
  assert.equal((await ask({ id: 1, method: 'commit', params: { height: '2' } })).status, 200);
  assert.equal((await ask({ id: 1, method: 'broadcast_tx_sync', params: { tx: 'AA==' } })).status, 400);
  assert.equal((await ask({ id: 1, method: 'unsafe_flush_mempool' })).status, 400);
  assert.equal((await ask({ id: 1, method: 'commit', params: { height: '2&x=1' } })).status, 400);
  assert.equal((await ask({ id: {}, method: 'commit' })).status, 400);
}

describe('joining by state sync', { skip, timeout: LIMIT_MS }, () => {
  test('begins at a block that members prove, and its receipts lead back to the genesis', async () => {
    const ports = await freePorts(6);
    for (const [place, name] of ['North', 'South', 'Later'].entries())
      await prepare(name, ports.slice(2 * place, 2 * place + 2));
    const time = ['--name', 'Valley', '--time', '2026-01-01T00:00:00Z', '--out', at('network.json')];
    await json('network', 'genesis', cardFile('North'), cardFile('South'), ...time);
    for (const name of ['North', 'South'])
      await json('network', 'join', at('network.json'), '--data', at(name));
    const [north = '', south = ''] = await Promise.all(['North', 'South'].map((name) => start(name)));

    // From now on one of the two founders decides alone: half of the power that the genesis names.
    const { organisation } = await json('govern', 'list', '--data', at('North'));
    await decide('validators', `${String(organisation)},${cardOf('North').consensusKey},0`);
    await json(
      'govern',
      'apply',
      at('request.json'),
      '--data',
      at('Later'),
      '--node',
      north,
      '--role',
      'hospital',
    );
    await decide('admit', at('request.json'));

    const joinBy = (...nodes: readonly string[]) => [
      ...['network', 'join', at('network.json'), '--data', at('Later'), '--later', '--state-sync'],
      ...nodes.flatMap((url) => ['--node', url]),
    ];
    const alone = await runHere(joinBy(north, north), members.env);
    assert.match(alone.stderr, /2 to 16 members/);
    assert.equal(alone.status, 2);
    const lied = await runHere(joinBy(north, south, await startLiar(south)), members.env);
    assert.match(lied.stderr, /lied about block/);
    assert.equal(lied.status, 5);
    const unproven = await runHere(joinBy(south, await startLiar(north)), members.env);
    assert.match(unproven.stderr, /No block was verified that another source has too/);
    assert.ok(!existsSync(join(at('Later'), 'node.json')), 'what was refused left nothing');
    await answersNothingElse(north);
    const joined = await json(...joinBy(north, south));
    assert.deepEqual(new Set(joined.members as string[]), new Set([north, south]));

    const later = await start('Later');
    const listed = (name: string) => json('govern', 'list', '--data', at(name));
    await until(
      'the newcomer to have the ledger',
      async () => ((await listed('Later')).members as string[]).length === 3,
      PATIENCE_MS,
    );
    const rpcUrl = `http://127.0.0.1:${ports[5]}`;
    assert.ok(((await earliestBlock(rpcUrl)) ?? 0) > 1, 'its CometBFT begins after the snapshot');

    const head = await (await fetch(`${later}/ledger/head`)).text();
    writeFileSync(at('head.json'), head);
    const verified = await runHere(['verify', at('head.json'), '--network', at('network.json')], members.env);
    assert.equal(verified.status, 0, verified.stderr);
    assert.match(verified.stdout, /South/);
    const genesis = genesisOfNetwork(decodeNetwork(readFileSync(at('network.json'), 'utf8')));
    const { checkpoint } = JSON.parse(head) as { checkpoint: string };
    const proofBy = (...urls: readonly string[]) => {
      const sources = urls.map((url) => nodeSourceAt(url));
      const keep = (blocks: readonly VerifiedBlock[]): void => {
        kept = blocks.length;
      };
      return createConsensusProver(genesis, rpcUrl, { sources, blocks: [], keep }).proofOf(checkpoint);
    };
    let kept = 0;
    await assert.rejects(proofBy(), /has not the blocks that lead from the genesis/);
    await assert.rejects(proofBy(await startLiar(north)), /has not the blocks that lead from the genesis/);
    const { blocks } = await proofBy(south, north);
    assert.ok(blocks.length > 1 && kept >= blocks.length - 1, 'what others gave is kept');
  });
});
