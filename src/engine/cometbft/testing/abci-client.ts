import { connect, type Socket } from 'node:net';
import { Request, Response } from 'cosmjs-types/tendermint/abci/types';
import { DelimitedReader, delimit } from '../abci/delimited.ts';

/** A request with the fields that matter; the others have their defaults. */
type Question = { readonly [Name in keyof Request]?: Partial<NonNullable<Request[Name]>> };
type Waiting = { resolve: (response: Response) => void; reject: (error: Error) => void };

/** The other end of the protocol, as CometBFT speaks it. For tests that play the consensus engine. */
export class AbciClient {
  readonly socket: Socket;
  readonly #reader = new DelimitedReader();
  readonly #waiting: Waiting[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      for (const message of this.#reader.push(chunk))
        this.#waiting.shift()?.resolve(Response.decode(message));
    });
    const fail = (): void => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('The connection was closed.'));
    };
    socket.on('close', fail);
    socket.on('error', fail);
  }

  static async open(path: string): Promise<AbciClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new AbciClient(socket);
  }

  /** Sends one request; the answers come in the order of the requests. */
  ask(question: Question): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const request = Request.fromPartial(question as Request);
      this.socket.write(delimit(Request.encode(request).finish()));
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Milliseconds as a protobuf timestamp. */
export function timestampOf(timeMs: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(timeMs / 1000)), nanos: (timeMs % 1000) * 1_000_000 + 123 };
}
