import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { adminClient } from './admin-client.ts';

/** What the client makes of a node that answers like this. */
async function streamOf(answer: (response: ServerResponse) => void): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-admin-'));
  const socketPath = join(folder, 'admin.sock');
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(response));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    return await adminClient(socketPath).stream('/admin/backup', {}, () => undefined);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('long work is done when its last line says so, and not where the node ended before', async () => {
  const done = '{"progress":"ledger"}\n\n{"done":true,"height":7}\n';
  assert.equal((await streamOf((response) => response.end(done))).height, 7);
  const ended = { code: 'node-unreachable', message: /ended before it was done/ };
  await assert.rejects(
    streamOf((response) => response.end()),
    ended,
  );
  await assert.rejects(
    streamOf((response) => response.end('{"progress":"ledger"}\n')),
    ended,
  );
  const killed = (response: ServerResponse): void =>
    void response.write('{"progress":"ledger"}\n', () => response.destroy());
  await assert.rejects(streamOf(killed), ended);
  await assert.rejects(
    streamOf((response) => response.end('{"error":"disk-full","message":"No room."}\n')),
    {
      code: 'disk-full',
    },
  );
});
