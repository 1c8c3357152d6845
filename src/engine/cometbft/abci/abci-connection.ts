import type { Socket } from 'node:net';
import { Request, Response } from 'cosmjs-types/tendermint/abci/types';
import { readCheckTx } from './check-tx-request.ts';
import { crowdedProposal } from './crowded-proposal.ts';
import { DelimitedReader, delimit } from './delimited.ts';
import { type AbciMethods, answer, type MethodName, methodOf } from './methods.ts';

/**
 * Requests that may wait for their answers before no more are read from the socket. CometBFT flushes its mempool connection before each
 * Commit, so a block waits for as many signatures as are being checked then; any peer can send forged ones.
 */
const MAX_WAITING = 1000;
/** Requests of these methods need not wait for one another; their answers keep their order all the same. */
const OVERLAPPING: ReadonlySet<MethodName> = new Set(['checkTx', 'flush', 'echo'] as const);

/** A request from when it came until its answer is sent. */
type Exchange = { readonly name: MethodName; readonly request: Request; response: Response | undefined };

/** One connection: requests are run one after another, and answered in the order in which they came. */
export class AbciConnection {
  readonly #socket: Socket;
  readonly #methods: AbciMethods;
  readonly #log: (line: string) => void;
  readonly #reader = new DelimitedReader();
  /** What is not answered yet, from `#first` on; the first `#running` of them have begun. */
  #exchanges: Exchange[] = [];
  #first = 0;
  #running = 0;
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
      for (const message of this.#reader.push(chunk)) this.#take(message);
    } catch (cause) {
      this.#close(`sent what is no ABCI request (${textOf(cause)})`);
    }
    this.#advance();
    if (this.#waiting > MAX_WAITING) this.#socket.pause();
  }

  get #waiting(): number {
    return this.#exchanges.length - this.#first;
  }

  #take(message: Uint8Array): void {
    const checkTx = readCheckTx(message);
    const request: Request =
      checkTx === undefined ? (crowdedProposal(message) ?? Request.decode(message)) : { checkTx };
    const name = methodOf(request);
    if (name === undefined) throw new Error('the message names no method of ABCI 2.0');
    this.#exchanges.push({ name, request, response: undefined });
  }

  /** Begins what may begin, in the order in which it came, and answers what is next to be answered. */
  #advance(): void {
    for (;;) {
      const first = this.#exchanges[this.#first];
      const next = this.#exchanges[this.#first + this.#running];
      if (first?.response !== undefined) this.#answer(first.name, first.response);
      else if (next !== undefined && (first === next || (overlaps(first) && overlaps(next))))
        this.#begin(next);
      else return;
    }
  }

  #begin(exchange: Exchange): void {
    this.#running += 1;
    const running = this.#run(exchange);
    if (!(running instanceof Promise)) {
      exchange.response = running;
      return;
    }
    void running.then((response) => {
      exchange.response = response;
      this.#advance();
    });
  }

  /** An exception is an answer too: the consensus engine stops rather than go on without its application. */
  #run({ name, request }: Exchange): Response | Promise<Response> {
    if (this.#closed) return {};
    const failed = (cause: unknown): Response => {
      this.#log(`ABCI: ${name} failed, so CometBFT is told to stop: ${textOf(cause)}`);
      return { exception: { error: textOf(cause) } };
    };
    try {
      const running = answer(this.#methods, name, request);
      return running instanceof Promise ? running.catch(failed) : running;
    } catch (cause) {
      return failed(cause);
    }
  }

  #answer(name: MethodName, response: Response): void {
    this.#running -= 1;
    this.#first += 1;
    this.#dropAnswered();
    if (this.#closed) return;
    if (this.#outgoing.length === 0) setImmediate(() => this.#flush());
    this.#outgoing.push(this.#encoded(name, response));
    if (this.#waiting <= MAX_WAITING / 2 && this.#socket.isPaused()) this.#socket.resume();
  }

  /** Those that were answered stay in the list until they are half of it, so that to drop one costs little. */
  #dropAnswered(): void {
    if (this.#first * 2 < this.#exchanges.length) return;
    this.#exchanges.splice(0, this.#first);
    this.#first = 0;
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

function overlaps(exchange: Exchange | undefined): boolean {
  return exchange !== undefined && OVERLAPPING.has(exchange.name);
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
