import { connect, createServer, type Socket } from 'node:net';

/** Stands between a vault and PostgreSQL, and does to the answer of a COMMIT what a bad network does. */
export type PostgresProxy = {
  readonly url: string;
  /** The server commits, its answer is lost, and so is every connection; new ones are refused until `restore`. */
  cutAtNextCommit(): void;
  /** Only the connection that commits is lost. */
  loseNextCommit(): void;
  /** The server commits, and its answer waits: resolves then, with what lets it go on. */
  holdNextCommit(): Promise<() => void>;
  restore(): void;
  close(): void;
};

export async function startPostgresProxy(url: string): Promise<PostgresProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let onCommit: ((answer: () => void, lose: () => void) => void) | undefined;
  let isCut = false;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const server = connect(Number(port), hostname);
    let answered: typeof onCommit;
    client.on('data', (data) => {
      if (onCommit !== undefined && data.includes('COMMIT')) [answered, onCommit] = [onCommit, undefined];
      server.write(data);
    });
    server.on('data', (data) => {
      const answer = (): void => void client.write(data);
      if (answered === undefined) return answer();
      answered(answer, () => client.destroy());
      answered = undefined;
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const between = new URL(url);
  between.port = String(typeof address === 'object' && address !== null ? address.port : 0);
  return {
    url: between.href,
    cutAtNextCommit: () => {
      onCommit = () => {
        isCut = true;
        cut();
      };
    },
    loseNextCommit: () => {
      onCommit = (_answer, lose) => lose();
    },
    holdNextCommit: () =>
      new Promise((resolve) => {
        onCommit = (answer) => resolve(answer);
      }),
    restore: () => {
      isCut = false;
    },
    close: () => {
      proxy.close();
      cut();
    },
  };
}
