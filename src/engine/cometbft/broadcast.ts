import { AppError, toBase64 } from '../../shared/index.ts';

/** As `rpc.max_request_batch_size` and `rpc.max_body_bytes` are set in CometBFT's configuration. */
export const MAX_BATCH_REQUESTS = 100;
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const ENVELOPE_BYTES = 100;
const CONSORTIUM_BUSY =
  'Too many transactions are waiting in the consortium. Submit this one again in a second.';
/** CometBFT has seen it and keeps it, or has recorded it (mempool/errors.go). */
const IN_CACHE = 'already exists in cache';

type Waiting = {
  readonly bytes: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: AppError) => void;
};
type RpcAnswer = {
  readonly id: number;
  readonly error?: { readonly message: string; readonly data?: string };
};

/**
 * Hands transactions to CometBFT's mempool over its RPC. One request is under way at a time and what comes meanwhile shares the
 * next, so that a signer's transactions keep their order. CheckTx's verdict comes to the application, not here.
 */
export class Broadcaster {
  readonly #url: string;
  #waiting: Waiting[] = [];
  #isSending = false;

  constructor(url: string) {
    this.#url = url;
  }

  /** Resolves when the mempool has taken the transaction for checking, or has it already. */
  broadcast(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, resolve, reject });
      if (this.#isSending) return;
      this.#isSending = true;
      setImmediate(() => void this.#send());
    });
  }

  async #send(): Promise<void> {
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) await this.#post(batch);
    this.#isSending = false;
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ bytes: { length } }, index) => {
      bytes += Math.ceil(length / 3) * 4 + ENVELOPE_BYTES;
      return index === MAX_BATCH_REQUESTS || (index > 0 && bytes > MAX_BATCH_BYTES);
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  /** CometBFT closes connections that rest. One that it closed under a request is opened anew, once: to hand over twice is to hand over once. */
  async #ask(body: string): Promise<unknown> {
    try {
      return await this.#request(body);
    } catch (cause) {
      if (!isConnectionError(cause)) throw cause;
      return this.#request(body);
    }
  }

  async #request(body: string): Promise<unknown> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    return response.json();
  }

  async #post(batch: readonly Waiting[]): Promise<void> {
    const requests = batch.map(({ bytes }, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'broadcast_tx_async',
      params: { tx: toBase64(bytes) },
    }));
    try {
      const parsed = await this.#ask(JSON.stringify(requests));
      const answers = new Map(
        (Array.isArray(parsed) ? parsed : [parsed]).map((one: RpcAnswer) => [one.id, one]),
      );
      for (const [index, one] of batch.entries()) settle(one, answers.get(index));
    } catch (cause) {
      for (const { reject } of batch) reject(unreachable(cause));
    }
  }
}

/** Whether the connection was lost, and not the time spent: only then is there some left to try again. */
function isConnectionError(cause: unknown): boolean {
  return cause instanceof TypeError;
}

function settle({ resolve, reject }: Waiting, answer: RpcAnswer | undefined): void {
  const why = `${answer?.error?.message ?? ''} ${answer?.error?.data ?? ''}`.trim();
  if (answer === undefined) reject(unreachable(undefined));
  else if (answer.error === undefined || why.includes(IN_CACHE)) resolve();
  else if (why.includes('mempool is full')) reject(new AppError('busy', CONSORTIUM_BUSY));
  else reject(new AppError('unavailable', `The consensus engine did not take the transaction: ${why}.`));
}

function unreachable(cause: unknown): AppError {
  return new AppError(
    'unavailable',
    'The consensus engine of this node does not answer. Submit the transaction again when it runs.',
    { cause },
  );
}
