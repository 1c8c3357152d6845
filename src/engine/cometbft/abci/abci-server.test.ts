import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { sampleChain } from '../../sample-chain.ts';
import { type CometBftEngine, openCometBftEngine } from '../cometbft-engine.ts';
import { AbciClient } from '../testing/abci-client.ts';
import { until } from '../testing/local-network.ts';
import { delimit } from './delimited.ts';

const root = mkdtempSync(join(tmpdir(), 'careledger-abci-'));
after(() => rmSync(root, { recursive: true, force: true }));

async function withApp(
  body: (engine: CometBftEngine, path: string, lines: string[]) => Promise<void>,
): Promise<void> {
  const { genesis, operatorSeed: nodeSeed } = sampleChain();
  const lines: string[] = [];
  const folder = mkdtempSync(join(root, 'app-'));
  const log = (line: string): void => void lines.push(line);
  const engine = await openCometBftEngine({
    folder,
    genesis,
    nodeSeed,
    rpcUrl: 'http://127.0.0.1:1',
    log,
    verifyWorkers: 0,
  });
  try {
    await body(engine, join(folder, 'abci.sock'), lines);
  } finally {
    await engine.close();
  }
}

describe('the ABCI server', () => {
  test('answers in the order of the requests', () =>
    withApp(async (_engine, path) => {
      const client = await AbciClient.open(path);
      const answers = await Promise.all([
        client.ask({ echo: { message: 'first' } }),
        client.ask({ checkTx: { tx: randomBytes(50) } }),
        client.ask({ info: {} }),
        client.ask({ checkTx: { tx: randomBytes(50) } }),
        client.ask({ echo: { message: 'last' } }),
        client.ask({ flush: {} }),
      ]);
      assert.deepEqual(
        answers.map((one) => Object.keys(one).find((name) => one[name as keyof typeof one] !== undefined)),
        ['echo', 'checkTx', 'info', 'checkTx', 'echo', 'flush'],
      );
      assert.equal(answers[4]?.echo?.message, 'last');
      assert.equal(answers[1]?.checkTx?.log, 'malformed-transaction');
      client.close();
    }));

  test('closes a connection that brings garbage, says so, and goes on with the others', () =>
    withApp(async (_engine, path, lines) => {
      const other = await AbciClient.open(path);
      const garbage = [
        new Uint8Array(64).fill(0xff),
        delimit(new Uint8Array(200).fill(0xff)),
        delimit(Uint8Array.of(0x0a, 0x7f, 0x01)),
        delimit(new Uint8Array(0)),
        delimit(Uint8Array.of(0xfa, 0x3e, 0x01, 0x00)),
        Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
        Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(4)),
      ];
      for (const bytes of garbage) {
        const client = await AbciClient.open(path);
        client.socket.write(bytes);
        await until('the connection to be closed', () => client.socket.destroyed, 5000);
        assert.match(
          lines.at(-1) ?? '',
          /^ABCI: a connection is closed, because it sent what is no ABCI request/,
        );
      }
      assert.equal(lines.length, garbage.length);
      assert.equal((await other.ask({ echo: { message: 'still here' } })).echo?.message, 'still here');
      other.close();
    }));

  test('tells the consensus engine to stop where the application fails', () =>
    withApp(async (_engine, path, lines) => {
      const client = await AbciClient.open(path);
      const answer = await client.ask({ finalizeBlock: { height: 7n } });
      assert.match(answer.exception?.error ?? '', /block 7 and the ledger after block 0/);
      assert.match(lines[0] ?? '', /^ABCI: finalizeBlock failed/);
      client.close();
    }));
});
