import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Link } from './faults/link.ts';

/** A server that says everything back, behind a link. */
async function withEcho(body: (link: Link) => Promise<void>): Promise<void> {
  const accepted = new Set<Socket>();
  const server = createServer((socket) => {
    accepted.add(socket.on('error', () => undefined));
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = await Link.open(0, (server.address() as { port: number }).port);
  try {
    await body(link);
  } finally {
    link.close();
    for (const socket of accepted) socket.destroy();
    server.close();
  }
}

async function dial(link: Link): Promise<Socket> {
  const socket = connect(link.port, '127.0.0.1').on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  return socket;
}

function closeOf(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function echoOf(socket: Socket, text: string): Promise<string> {
  let got = '';
  const complete = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      got += chunk.toString();
      if (got.length >= text.length) resolve(got);
    });
  });
  socket.write(text);
  return complete;
}

test('an open link passes bytes on, a slow one later and in their order', () =>
  withEcho(async (link) => {
    const socket = await dial(link);
    assert.equal(await echoOf(socket, 'near'), 'near');
    link.set('open', 60);
    const before = performance.now();
    const late = echoOf(socket, 'first ');
    link.set('open');
    socket.write('second');
    assert.equal((await late).slice(0, 6), 'first ');
    link.set('open', 60);
    assert.equal(await echoOf(await dial(link), 'far'), 'far');
    assert.ok(performance.now() - before >= 120, 'there and back');
    socket.destroy();
  }));

test('a stalled link keeps the bytes until it is mended', () =>
  withEcho(async (link) => {
    const socket = await dial(link);
    assert.equal(await echoOf(socket, 'a'), 'a');
    link.set('stalled');
    let got = '';
    socket.on('data', (chunk) => (got += chunk.toString()));
    socket.write('b');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(got, '');
    const back = once(socket, 'data');
    link.set('open');
    await back;
    assert.equal(got, 'b');
    socket.destroy();
  }));

test('a cut link breaks what there is and what comes', () =>
  withEcho(async (link) => {
    const socket = await dial(link);
    assert.equal(await echoOf(socket, 'a'), 'a');
    const broken = closeOf(socket);
    link.set('cut');
    await broken;
    const later = await dial(link);
    await closeOf(later);
    link.set('open');
    assert.equal(await echoOf(await dial(link), 'again'), 'again');
  }));
