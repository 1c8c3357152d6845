import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AppError, fromUtf8 } from '../../shared/index.ts';
import type { Witness } from './witness.ts';

/** A checkpoint with 64 signatures and a proof of 63 lines take far less. */
const MAX_BODY_BYTES = 128 << 10;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 1000;
const TEXT = 'text/plain; charset=utf-8';

export type WitnessServer = { readonly url: string; close(): Promise<void> };

/** Serves a witness over HTTP. */
export async function startWitnessServer(
  witness: Witness,
  options: { readonly host: string; readonly port: number },
): Promise<WitnessServer> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 8192 },
    (request, response) => {
      respond(witness, request, response).catch(() =>
        send(response, 500, TEXT, 'The witness failed on this request and cosigned nothing.\n'),
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return { url: `http://${options.host}:${port}`, close: () => closeServer(server) };
}

async function respond(witness: Witness, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path] = (request.url ?? '').split('?');
  if (path !== '/add-checkpoint')
    return send(response, 404, TEXT, 'There is nothing here but POST /add-checkpoint.\n');
  if (request.method !== 'POST') return send(response, 405, TEXT, 'Use POST.\n', { allow: 'POST' });
  const bytes = await readBody(request);
  if (bytes === undefined)
    return send(response, 413, TEXT, `A request has at most ${MAX_BODY_BYTES} bytes.\n`, {
      connection: 'close',
    });
  const body = fromUtf8(bytes);
  if (body === undefined) return send(response, 400, TEXT, 'The body is not UTF-8.\n');
  const answer = witness.addCheckpoint(body);
  return send(response, answer.status, answer.contentType, answer.body);
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isTaken = cause.code === 'EADDRINUSE';
      const message = isTaken
        ? `Port ${port} on ${host} is in use. Choose another with --port.`
        : `Cannot listen on ${host}:${port} (${cause.code ?? 'unknown'}).`;
      reject(new AppError(isTaken ? 'port-in-use' : 'unavailable', message, { cause }));
    });
    server.listen(port, host, () => resolve());
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
