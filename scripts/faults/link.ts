import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a link does with the bytes: passes them on; breaks every connection; or swallows them until it is mended. */
export type LinkMode = 'open' | 'cut' | 'stalled';

type Chunk = { readonly bytes: Buffer; readonly dueAtMs: number };

/** A TCP proxy in front of one port, by which the network between two processes fails as it is told to. */
export class Link {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  #mode: LinkMode = 'open';
  #delayMs = 0;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async open(port: number, targetPort: number): Promise<Link> {
    const server = createServer();
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(port, '127.0.0.1', resolve),
    );
    return new Link(server, targetPort);
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  set(mode: LinkMode, delayMs = 0): void {
    this.#mode = mode;
    this.#delayMs = delayMs;
    for (const socket of this.#sockets) {
      if (mode === 'cut') socket.resetAndDestroy();
      else if (mode === 'stalled') socket.pause();
      else socket.resume();
    }
  }

  close(): void {
    this.set('cut');
    this.#server.close();
  }

  #accept(near: Socket): void {
    if (this.#mode === 'cut') {
      near.on('error', () => undefined);
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.#targetPort, '127.0.0.1');
    this.#pass(near, far);
    this.#pass(far, near);
  }

  /** Bytes leave in the order in which they came, whatever the delay was when they did. */
  #pass(from: Socket, to: Socket): void {
    const queue: Chunk[] = [];
    const flush = (): void => {
      while (queue[0] !== undefined && queue[0].dueAtMs <= performance.now()) {
        const { bytes } = queue.shift() as Chunk;
        if (!to.destroyed) to.write(bytes);
      }
      if (queue[0] !== undefined) setTimeout(flush, queue[0].dueAtMs - performance.now() + 1);
    };
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (bytes) => {
      if (this.#delayMs === 0 && queue.length === 0) return void to.write(bytes);
      queue.push({ bytes, dueAtMs: performance.now() + this.#delayMs });
      if (queue.length === 1) flush();
      return undefined;
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#mode === 'stalled') from.pause();
  }
}
