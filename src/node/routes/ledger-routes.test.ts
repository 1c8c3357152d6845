import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { consortiumGenesis, founders } from '../../ledger/consensus/testing/consortium-chain.ts';
import { appListener, createApp } from '../http/app.ts';
import { createConsensusProver } from '../ledger/consensus-prover.ts';
import { addLedgerRoutes } from './ledger-routes.ts';

const AT_ONCE = 8;
const MAY_WAIT = 32;
const BEYOND = 5;

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** The RPC of a CometBFT that has no block, and that answers nobody before it is released. */
function slowRpc(): { server: Server; most: () => number; isFull: Promise<void>; release: () => void } {
  const full = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let open = 0;
  let most = 0;
  const server = createServer(async (_, outgoing) => {
    open += 1;
    most = Math.max(most, open);
    if (open === AT_ONCE) full.resolve();
    if (open > AT_ONCE) released.resolve();
    await released.promise;
    open -= 1;
    outgoing.end('{}');
  });
  return { server, most: () => most, isFull: full.promise, release: released.resolve };
}

/** The doors to the RPC as a node opens them; the rest of a node is not needed for them. */
function doorsTo(rpcUrl: string): Server {
  const app = createApp();
  const prover = createConsensusProver(consortiumGenesis(founders(4)), rpcUrl);
  addLedgerRoutes(app, { prover, consortium: { rpcUrl } } as unknown as Parameters<
    typeof addLedgerRoutes
  >[1]);
  const listener = appListener(app);
  return createServer(
    (incoming, outgoing) => void listener(incoming, outgoing, { requestId: '', template: '' }),
  );
}

test('strangers have few questions under way at the consensus engine, some wait, and the rest are told to come again', {
  timeout: 30_000,
}, async () => {
  const rpc = slowRpc();
  const node = doorsTo(await listen(rpc.server));
  const url = await listen(node);
  const titles: string[] = [];
  const refused = Promise.withResolvers<void>();
  const ask = async (_: unknown, at: number): Promise<void> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: at, method: 'commit', params: {} });
    const response = await (at % 2 === 0
      ? fetch(`${url}/ledger/light-blocks/${at + 1}`)
      : fetch(`${url}/ledger/consensus`, { method: 'POST', body }));
    titles.push(response.ok ? 'answered' : ((await response.json()) as { title: string }).title);
    if (titles.length === BEYOND) refused.resolve();
  };
  const all = Promise.all(Array.from({ length: AT_ONCE + MAY_WAIT + BEYOND }, ask));
  try {
    await Promise.all([rpc.isFull, refused.promise]);
    assert.deepEqual(titles.splice(0), Array(BEYOND).fill('busy'));
    rpc.release();
    await all;
    assert.equal(rpc.most(), AT_ONCE);
    assert.equal(titles.length, AT_ONCE + MAY_WAIT);
    assert(titles.every((title) => title === 'answered' || title === 'not-found'));
  } finally {
    rpc.release();
    await all;
    await Promise.all([close(node), close(rpc.server)]);
  }
});
