import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { AppError } from '../../../shared/index.ts';
import { AbciConnection } from './abci-connection.ts';
import { type Application, allMethods } from './methods.ts';

/** Where the server listens: a unix socket, or TCP on this machine. */
export type AbciAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export type AbciServer = { readonly address: AbciAddress; close(): Promise<void> };

/** Linux keeps 108 bytes for the name of a socket, one of them for its end. */
const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Serves an application to CometBFT (ABCI 2.0, the socket protocol); `connect` gives what a new connection talks to, and is given a
 * signal that tells when that connection is gone.
 */
export async function serveAbci(
  connect: (connection: AbortSignal) => Application,
  address: AbciAddress,
  log: (line: string) => void,
): Promise<AbciServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const gone = new AbortController();
    socket.on('close', () => {
      sockets.delete(socket);
      gone.abort(new Error('Its connection was closed.'));
    });
    new AbciConnection(socket, allMethods(connect(gone.signal)), log);
  });
  await listen(server, address);
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { address: boundAddress(server, address), close };
}

/** The address in the words of CometBFT's `proxy_app`. */
export function proxyAppOf(address: AbciAddress): string {
  return 'path' in address ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`;
}

async function listen(server: Server, address: AbciAddress): Promise<void> {
  if ('path' in address) {
    if (Buffer.byteLength(address.path) > MAX_SOCKET_PATH_BYTES) {
      throw new AppError(
        'usage',
        `The path of the ABCI socket is too long for the operating system: ${address.path}. Use a folder with a shorter path, or TCP.`,
      );
    }
    // The folder is locked by this process, so a socket that is there was left by one that ended.
    rmSync(address.path, { force: true });
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new AppError('port-in-use', 'The ABCI server could not listen. Is another node running here?', {
          cause,
        }),
      ),
    );
    server.listen(address, resolve);
  });
}

function boundAddress(server: Server, address: AbciAddress): AbciAddress {
  const bound = server.address();
  if ('path' in address || bound === null || typeof bound === 'string') return address;
  return { host: address.host, port: bound.port };
}
