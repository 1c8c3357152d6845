import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ResponseCheckTx } from 'cosmjs-types/tendermint/abci/types';
import { AbciClient } from '../testing/abci-client.ts';
import { until } from '../testing/local-network.ts';
import { AbciConnection } from './abci-connection.ts';
import type { AbciMethods } from './methods.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-connection-'));
const path = join(folder, 'abci.sock');
const connected = Promise.withResolvers<Socket>();
/** The transactions that are being checked: how to answer for each. */
const checks: ((answer: ResponseCheckTx) => void)[] = [];
const checkTx = (): Promise<ResponseCheckTx> => new Promise((resolve) => checks.push(resolve));
const server = createServer((socket) => {
  new AbciConnection(socket, { checkTx, flush: () => ({}) } as unknown as AbciMethods, () => undefined);
  connected.resolve(socket);
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const ALL = 4000;
/** What a flush has to wait for at most: about a thousand signatures, and what one read from the socket brings beside them. */
const MOST = 1500;

test('a flood of transactions waits in the socket, so that a flush before a Commit waits for few signatures', async () => {
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = await AbciClient.open(path);
  const socket = await connected.promise;
  const tx = new Uint8Array(300);
  const answers = Promise.all(Array.from({ length: ALL }, () => client.ask({ checkTx: { tx } })));
  const flushed = client.ask({ flush: {} });
  try {
    let answered = 0;
    while (answered < ALL) {
      const isRead = (): boolean => socket.isPaused() || answered + checks.length === ALL;
      await until('no more to be read', isRead, 5000);
      assert(checks.length <= MOST, `${checks.length} transactions are being checked`);
      answered += checks.length;
      for (const resolve of checks.splice(0)) resolve(ResponseCheckTx.fromPartial({}));
    }
    await Promise.all([answers, flushed]);
  } finally {
    client.close();
  }
});
