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

/** What a broadcaster asks about transactions, and tells of them, by their ids. */
export type BroadcastParts = {
  /** The transaction; undefined where nobody waits for it any more. */
  readonly bytesOf: (idKey: string) => Uint8Array | undefined;
  /** Told where one could not be handed over. */
  readonly onFailure: (idKey: string, error: AppError) => void;
};
type Waiting = { readonly idKey: string; readonly bytes: Uint8Array; readonly isFirst: boolean };
type RpcAnswer = {
  readonly id: number;
  readonly error?: { readonly message: string; readonly data?: string };
};

/**
 * Hands transactions to CometBFT's mempool over its RPC. One request is under way at a time and what comes meanwhile shares the
 * next, so that a signer's transactions keep their order. CheckTx's verdict comes to the application, not here.
 *
 * What waits is known by its id alone, once however often it is to be handed over; its bytes are asked for when it is its turn. So
 * nothing gathers here while CometBFT does not answer.
 */
export class Broadcaster {
  readonly #url: string;
  readonly #parts: BroadcastParts;
  /** Whether it is handed over for the first time, by its id. */
  readonly #waiting = new Map<string, boolean>();
  #isSending = false;

  constructor(url: string, parts: BroadcastParts) {
    this.#url = url;
    this.#parts = parts;
  }

  handOver(idKey: string): void {
    this.#enqueue(idKey, true);
  }

  /** Hands over what was handed over before. A failure now says nothing about the first time, so it is not told. */
  handOverAgain(idKey: string): void {
    this.#enqueue(idKey, this.#waiting.get(idKey) ?? false);
  }

  #enqueue(idKey: string, isFirst: boolean): void {
    this.#waiting.set(idKey, isFirst);
    if (this.#isSending) return;
    this.#isSending = true;
    setImmediate(() => void this.#send());
  }

  async #send(): Promise<void> {
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) await this.#post(batch);
    this.#isSending = false;
  }

  #takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    let size = 0;
    for (const [idKey, isFirst] of this.#waiting) {
      const bytes = this.#parts.bytesOf(idKey);
      size += bytes === undefined ? 0 : Math.ceil(bytes.length / 3) * 4 + ENVELOPE_BYTES;
      if (batch.length === MAX_BATCH_REQUESTS || (batch.length > 0 && size > MAX_BATCH_BYTES)) break;
      this.#waiting.delete(idKey);
      if (bytes !== undefined) batch.push({ idKey, bytes, isFirst });
    }
    return batch;
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
      for (const [index, one] of batch.entries()) this.#tell(one, failureIn(answers.get(index)));
    } catch (cause) {
      for (const one of batch) this.#tell(one, unreachable(cause));
    }
  }

  #tell({ idKey, isFirst }: Waiting, failure: AppError | undefined): void {
    if (failure !== undefined && isFirst) this.#parts.onFailure(idKey, failure);
  }
}

/** Whether the connection was lost, and not the time spent: only then is there some left to try again. */
function isConnectionError(cause: unknown): boolean {
  return cause instanceof TypeError;
}

/** Why the mempool did not take a transaction; undefined where it has taken it for checking, or has it already. */
function failureIn(answer: RpcAnswer | undefined): AppError | undefined {
  const why = `${answer?.error?.message ?? ''} ${answer?.error?.data ?? ''}`.trim();
  if (answer === undefined) return unreachable(undefined);
  if (answer.error === undefined || why.includes(IN_CACHE)) return undefined;
  if (why.includes('mempool is full')) return new AppError('busy', CONSORTIUM_BUSY);
  return new AppError('unavailable', `The consensus engine did not take the transaction: ${why}.`);
}

function unreachable(cause: unknown): AppError {
  return new AppError(
    'unavailable',
    'The consensus engine of this node does not answer. Submit the transaction again when it runs.',
    { cause },
  );
}
