import type { Socket } from 'node:net';
import { Request, Response } from 'cosmjs-types/tendermint/abci/types';
import { DelimitedReader, delimit } from './delimited.ts';
import { type AbciMethods, answer, type MethodName, methodOf } from './methods.ts';

/** Requests that may wait for their answers before no more are read from the socket. */
const MAX_WAITING = 20_000;
/** Requests of these methods need not wait for one another; their answers keep their order all the same. */
const OVERLAPPING: ReadonlySet<MethodName> = new Set(['checkTx', 'flush', 'echo'] as const);

/** One connection: requests are run one after another, and answered in the order in which they came. */
export class AbciConnection {
  readonly #socket: Socket;
  readonly #methods: AbciMethods;
  readonly #log: (line: string) => void;
  readonly #reader = new DelimitedReader();
  /** Settles when everything before has been answered. */
  #answered: Promise<void> = Promise.resolve();
  /** Settles when the last request that runs alone has been answered. */
  #alone: Promise<void> = Promise.resolve();
  #waiting = 0;
  #waitingAlone = 0;
  #outgoing: Uint8Array[] = [];
  readonly #encodings = new WeakMap<object, Uint8Array>();
  #closed = false;

  constructor(socket: Socket, methods: AbciMethods, log: (line: string) => void) {
    this.#socket = socket;
    this.#methods = methods;
    this.#log = log;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (cause) => this.#close(`failed: ${cause.message}`));
    socket.on('close', () => {
      this.#closed = true;
    });
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closed) return;
    try {
      for (const message of this.#reader.push(chunk)) this.#take(Request.decode(message));
    } catch (cause) {
      this.#close(`sent what is no ABCI request (${textOf(cause)})`);
    }
    if (this.#waiting > MAX_WAITING) this.#socket.pause();
  }

  #take(request: Request): void {
    const name = methodOf(request);
    if (name === undefined) throw new Error('the message names no method of ABCI 2.0');
    const overlaps = OVERLAPPING.has(name);
    const before = this.#answered;
    this.#waiting += 1;
    const run = (): Promise<Response> => this.#run(name, request);
    // What need not wait begins here, so that such requests begin in the order in which they came.
    const running = !overlaps ? before.then(run) : this.#waitingAlone === 0 ? run() : this.#alone.then(run);
    this.#answered = before.then(() => running).then((response) => this.#answer(name, response));
    if (overlaps) return;
    this.#waitingAlone += 1;
    this.#alone = this.#answered;
  }

  /** An exception is an answer too: the consensus engine stops rather than go on without its application. */
  async #run(name: MethodName, request: Request): Promise<Response> {
    if (this.#closed) return {};
    try {
      return await answer(this.#methods, name, request);
    } catch (cause) {
      this.#log(`ABCI: ${name} failed, so CometBFT is told to stop: ${textOf(cause)}`);
      return { exception: { error: textOf(cause) } };
    }
  }

  #answer(name: MethodName, response: Response): void {
    this.#waiting -= 1;
    if (!OVERLAPPING.has(name)) this.#waitingAlone -= 1;
    if (this.#closed) return;
    if (this.#outgoing.length === 0) setImmediate(() => this.#flush());
    this.#outgoing.push(this.#encoded(name, response));
    if (this.#waiting <= MAX_WAITING / 2 && this.#socket.isPaused()) this.#socket.resume();
  }

  /** Thousands of answers to CheckTx are one object, which is encoded once. */
  #encoded(name: MethodName, response: Response): Uint8Array {
    const body = name === 'checkTx' ? response.checkTx : undefined;
    const known = body === undefined ? undefined : this.#encodings.get(body);
    if (known !== undefined) return known;
    const bytes = delimit(Response.encode(response).finish());
    if (body !== undefined) this.#encodings.set(body, bytes);
    return bytes;
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    if (this.#closed) return;
    this.#socket.write(outgoing.length === 1 ? (outgoing[0] as Uint8Array) : Buffer.concat(outgoing));
  }

  #close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#log(`ABCI: a connection is closed, because it ${why}.`);
    this.#socket.destroy();
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
