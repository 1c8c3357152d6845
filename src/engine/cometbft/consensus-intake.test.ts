import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { HEADER_BYTES, resultName } from '../../ledger/index.ts';
import { consentGrant, enrolment, type SampleChain, sampleChain, sampleSigner } from '../sample-chain.ts';
import { type CometBftEngine, openCometBftEngine } from './cometbft-engine.ts';
import { AbciClient } from './testing/abci-client.ts';
import { largeTransaction } from './testing/large-transaction.ts';
import { until } from './testing/local-network.ts';
import { PlayedConsensus } from './testing/played-consensus.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-intake-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** What the RPC of CometBFT is, as far as transactions are handed over to it. */
type Rpc = { readonly received: Uint8Array[]; error: string | undefined; lost: number };
type Setting = { engine: CometBftEngine; consensus: PlayedConsensus; chain: SampleChain; rpc: Rpc };
type Request = { readonly id: number; readonly params: { readonly tx: string } };

async function answer(rpc: Rpc, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  if (rpc.lost > 0) {
    rpc.lost -= 1;
    incoming.socket.destroy();
    return;
  }
  const requests = JSON.parse(Buffer.concat(pieces).toString()) as Request[];
  const error = rpc.error === undefined ? undefined : { message: 'Internal error', data: rpc.error };
  if (error === undefined)
    for (const { params } of requests) rpc.received.push(Buffer.from(params.tx, 'base64'));
  outgoing.end(JSON.stringify(requests.map(({ id }) => (error === undefined ? { id } : { id, error }))));
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function withEngine(
  options: { queueLimit?: number; submitTimeoutMs?: number; ownAccount?: Uint8Array },
  body: (setting: Setting) => Promise<void>,
): Promise<void> {
  const rpc: Rpc = { received: [], error: undefined, lost: 0 };
  const server = createServer((incoming, outgoing) => void answer(rpc, incoming, outgoing));
  const rpcUrl = await listen(server);
  const chain = sampleChain();
  const folder = mkdtempSync(join(root, 'node-'));
  const { genesis, operatorSeed: nodeSeed } = chain;
  const log = (): void => undefined;
  const engine = await openCometBftEngine({
    folder,
    genesis,
    nodeSeed,
    rpcUrl,
    log,
    verifyWorkers: 0,
    ...options,
  });
  const consensus = new PlayedConsensus(await AbciClient.open(join(folder, 'abci.sock')), chain);
  try {
    await consensus.initChain();
    await body({ engine, consensus, chain, rpc });
  } finally {
    consensus.client.close();
    await engine.close();
    server.close();
    server.closeAllConnections();
  }
}

const enrol = (chain: SampleChain, name: string): Uint8Array => enrolment(chain, sampleSigner(1, name));

describe('submitting to a consortium', () => {
  test('more than may wait is refused at once, and taken when there is room', () =>
    withEngine({ queueLimit: 2 }, async ({ engine, consensus, chain }) => {
      const [one, two, three] = ['a', 'b', 'c'].map((name) => enrol(chain, name)) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      const waiting = [engine.submit(one), engine.submit(two)];
      await assert.rejects(engine.submit(three), { code: 'busy' });
      await consensus.block([one, two]);
      assert.deepEqual(
        (await Promise.all(waiting)).map(({ code }) => code),
        [0, 0],
      );
      const third = engine.submit(three);
      await consensus.block([three]);
      assert.equal((await third).height, 2);
    }));

  test('the node’s own is taken where its users fill the queue, and nobody else’s with its name', async () => {
    const { custodian } = sampleChain();
    await withEngine(
      { queueLimit: 4, ownAccount: custodian.accountId },
      async ({ engine, consensus, chain }) => {
        const patient = sampleSigner(1, 'patient');
        await consensus.block([enrolment(chain, patient)]);
        const grants = Array.from({ length: 5 }, () => consentGrant(chain, patient));
        const waiting = grants.slice(0, 4).map((bytes) => engine.submit(bytes));
        await assert.rejects(engine.submit(grants[4] as Uint8Array), { code: 'busy' });
        const own = enrol(chain, 'a');
        const forged = own.map((byte, at) => (at === HEADER_BYTES ? byte ^ 1 : byte));
        await assert.rejects(engine.submit(forged), { code: 'busy' });
        const submitted = engine.submit(own);
        await assert.rejects(engine.submit(enrol(chain, 'b')), { code: 'busy' });
        await consensus.block([...grants.slice(0, 4), own]);
        await Promise.all(waiting);
        assert.equal((await submitted).index, 4);
      },
    );
  });

  test('one whose time is over may still be recorded, and gets its place when it is submitted again', () =>
    withEngine({ submitTimeoutMs: 50 }, async ({ engine, consensus, chain }) => {
      const bytes = enrol(chain, 'a');
      await assert.rejects(engine.submit(bytes), { code: 'timeout' });
      await consensus.block([bytes]);
      const again = await engine.submit(bytes);
      assert.deepEqual([again.height, again.index, again.code], [1, 0, 0]);
      assert.equal(engine.head().logSize, 1);
    }));

  test('the same one twice at once is handed over once and answered twice', () =>
    withEngine({}, async ({ engine, consensus, chain, rpc }) => {
      const bytes = enrol(chain, 'a');
      const both = [engine.submit(bytes), engine.submit(bytes)];
      await until('it to be handed over', () => rpc.received.length > 0);
      await consensus.block([bytes]);
      const [first, second] = await Promise.all(both);
      assert.deepEqual(first, second);
      assert.equal(rpc.received.length, 1);
    }));

  test('a connection that was lost is opened anew, and one that stays lost is told', () =>
    withEngine({}, async ({ engine, consensus, chain, rpc }) => {
      const bytes = enrol(chain, 'a');
      rpc.lost = 1;
      const submitted = engine.submit(bytes);
      await until('it to be handed over', () => rpc.received.length === 1);
      await consensus.block([bytes]);
      assert.equal((await submitted).code, 0);
      rpc.lost = 2;
      await assert.rejects(engine.submit(enrol(chain, 'b')), { code: 'unavailable' });
    }));

  test('a full mempool is told as busy, and what the mempool has already is waited for', () =>
    withEngine({}, async ({ engine, consensus, chain, rpc }) => {
      const bytes = enrol(chain, 'a');
      rpc.error = 'mempool is full: number of txs 10000 (max: 10000)';
      await assert.rejects(engine.submit(bytes), { code: 'busy' });
      rpc.error = 'tx already exists in cache';
      const submitted = engine.submit(bytes);
      await consensus.block([bytes]);
      assert.equal((await submitted).code, 0);
    }));

  test('what finds no room in this node’s mempool is told as busy, and taken when there is room', () =>
    withEngine({}, async ({ engine, consensus, chain }) => {
      const patient = sampleSigner(1, 'patient');
      await consensus.block([enrolment(chain, patient)]);
      const waiting = Array.from({ length: 7 }, () => largeTransaction(chain, patient));
      for (const bytes of waiting) assert.equal(await consensus.checkTx(bytes), 0);
      const beyond = largeTransaction(chain, patient);
      const refused = assert.rejects(engine.submit(beyond), { code: 'busy' });
      assert.equal(resultName((await consensus.checkTx(beyond)) ?? 0), undefined);
      await refused;
      await consensus.block(waiting);
      const submitted = engine.submit(beyond);
      assert.equal(await consensus.checkTx(beyond), 0);
      await consensus.block([beyond]);
      assert.equal((await submitted).height, 3);
    }));
});
