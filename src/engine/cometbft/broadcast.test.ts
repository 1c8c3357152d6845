import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { utf8 } from '../../shared/index.ts';
import { Broadcaster } from './broadcast.ts';

type Request = { readonly id: number; readonly params: { readonly tx: string } };
/** What came in one request, and the way to answer it. */
type Batch = { readonly transactions: string[]; readonly answer: () => void; readonly lose: () => void };

/** An RPC that answers when it is told to, and the batches that came, one after another. */
const arrived: ((batch: Batch) => void)[] = [];
const server = createServer((incoming, outgoing) => void receive(incoming, outgoing));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
after(() => {
  server.close();
  server.closeAllConnections();
});

async function receive(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  const requests = JSON.parse(Buffer.concat(pieces).toString()) as Request[];
  const transactions = requests.map(({ params }) => Buffer.from(params.tx, 'base64').toString());
  const answer = (): void => void outgoing.end(JSON.stringify(requests.map(({ id }) => ({ id }))));
  arrived.shift()?.({ transactions, answer, lose: () => void outgoing.end('no answer') });
}

function nextBatch(): Promise<Batch> {
  return new Promise((resolve) => arrived.push(resolve));
}

describe('handing transactions over to an RPC that hangs', () => {
  test('keeps each once, and sends nothing that nobody waits for any more', async () => {
    const waiting = new Map(['a', 'b', 'c'].map((id) => [id, utf8(`transaction ${id}`)]));
    const failed: string[] = [];
    const onFailure = (id: string): void => void failed.push(id);
    const broadcaster = new Broadcaster(url, { bytesOf: (id) => waiting.get(id), onFailure });
    const first = nextBatch();
    broadcaster.handOver('a');
    const hanging = await first;
    for (const id of ['b', 'c']) broadcaster.handOver(id);
    for (const id of ['a', 'b', 'c', 'a', 'b']) broadcaster.handOverAgain(id);
    waiting.delete('c');
    const second = nextBatch();
    hanging.answer();
    const batch = await second;
    assert.deepEqual(batch.transactions, ['transaction b', 'transaction a']);
    batch.lose();
    const third = nextBatch();
    broadcaster.handOver('b');
    await third;
    assert.deepEqual(failed, ['b'], 'what was handed over before may still be recorded');
  });
});
