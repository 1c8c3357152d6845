import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { AppError } from '../../shared/index.ts';
import { faultText } from './fault.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 15_000;
const DRAIN_LIMIT_MS = 10_000;

/** Sent with every answer: nothing is cached, sniffed, framed or referred to. */
const SECURITY_HEADERS: [string, string][] = [
  ['cache-control', 'no-store'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['cross-origin-resource-policy', 'same-origin'],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
];

/** What is known about one request while it is handled; `template` is all of its URL that may be logged. */
export interface RequestContext {
  requestId: string;
  template: string;
  /** What went wrong where the answer says only that the node failed. */
  fault?: string;
}

export type RequestHandler = (
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  context: RequestContext,
) => Promise<void>;

export interface HttpServer {
  port: number;
  /** Stops accepting, lets what has begun finish (for at most ten seconds), then closes. */
  close(): Promise<void>;
}

export interface HttpServerOptions {
  listen: { host: string; port: number } | { socketPath: string };
  handler: RequestHandler;
  log: Log;
  metrics: Metrics;
}

/** Opens a server whose every request is counted, logged without its URL, and answered with the security headers. */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const nextRequestId = requestIds();
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS },
    (incoming, outgoing) => {
      const context: RequestContext = { requestId: nextRequestId(), template: 'unmatched' };
      prepare(outgoing, context, server.listening);
      observe(incoming, outgoing, context, options);
      options
        .handler(incoming, outgoing, context)
        .catch((cause: unknown) => failLate(outgoing, cause, options.log));
    },
  );
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.on('clientError', answerClientError);
  await listen(server, options.listen);
  return { port: portOf(server), close: () => drain(server) };
}

/** Refuses an address that nothing can listen on, before anything is made for a node that could not serve there. */
export async function refuseTakenPort(where: { host: string; port: number }): Promise<void> {
  const server = createServer();
  await listen(server, where);
  await new Promise((resolve) => server.close(resolve));
}

function requestIds(): () => string {
  const prefix = randomBytes(6).toString('hex');
  let count = 0;
  return () => `${prefix}-${(count++).toString(36)}`;
}

function prepare(outgoing: ServerResponse, context: RequestContext, accepting: boolean): void {
  for (const [name, value] of SECURITY_HEADERS) outgoing.setHeader(name, value);
  outgoing.setHeader('x-request-id', context.requestId);
  if (!accepting) outgoing.setHeader('connection', 'close');
}

function observe(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  context: RequestContext,
  options: HttpServerOptions,
): void {
  const startedMs = performance.now();
  outgoing.once('close', () => {
    const milliseconds = Math.round((performance.now() - startedMs) * 100) / 100;
    const status = outgoing.writableFinished ? outgoing.statusCode : 499;
    const method = incoming.method ?? 'GET';
    options.metrics.request(method, context.template, status, milliseconds);
    const level = status >= 500 ? 'error' : 'info';
    options.log.write(level, 'request', {
      method,
      route: context.template,
      status,
      ms: milliseconds,
      request: context.requestId,
      fault: context.fault,
    });
  });
}

/** A handler must answer its own errors; one that did not is a bug, and the caller still gets an answer. */
function failLate(outgoing: ServerResponse, cause: unknown, log: Log): void {
  log.write('error', 'handler-failed', { fault: faultText(cause) });
  if (outgoing.headersSent) return void outgoing.destroy();
  outgoing.writeHead(500, { 'content-type': 'application/problem+json' });
  outgoing.end(
    '{"type":"about:blank","title":"internal","status":500,"detail":"The node failed on this request."}',
  );
}

/** Errors below HTTP: headers too long, garbage, a body that never came. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function listen(server: Server, where: HttpServerOptions['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(where, cause)));
    const done = (): void => {
      server.removeAllListeners('error');
      server.on('error', () => undefined);
      resolve();
    };
    if ('socketPath' in where) server.listen(where.socketPath, done);
    else server.listen(where.port, where.host, done);
  });
}

function listenError(where: HttpServerOptions['listen'], cause: NodeJS.ErrnoException): AppError {
  if ('socketPath' in where)
    return new AppError('admin-socket-failed', 'The admin socket in the data folder cannot be opened.', {
      cause,
    });
  if (cause.code === 'EADDRINUSE') {
    return new AppError(
      'port-in-use',
      `Port ${where.port} is in use. Stop what uses it, or choose another with --port.`,
      { cause },
    );
  }
  if (cause.code === 'EACCES') {
    return new AppError(
      'port-in-use',
      `Port ${where.port} needs rights this user does not have. Choose one above 1023 with --port.`,
      { cause },
    );
  }
  return new AppError(
    'port-in-use',
    `The node cannot listen on port ${where.port} (${cause.code ?? 'unknown error'}).`,
    { cause },
  );
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? (address as AddressInfo).port : 0;
}

function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => server.closeAllConnections(), DRAIN_LIMIT_MS);
    server.close(() => {
      clearTimeout(limit);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** Writes a complete answer in one go. */
export function sendReply(
  outgoing: ServerResponse,
  reply: { status: number; headers: Record<string, string>; body?: string | Uint8Array | undefined },
): void {
  const body = reply.body ?? '';
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  outgoing.writeHead(reply.status, { ...reply.headers, 'content-length': String(length) });
  outgoing.end(body);
}
