/** What CometBFT's mempool holds at most. One more it refuses before it asks here, whatever that one is. */
export const MAX_MEMPOOL_TRANSACTIONS = 10_000;
export const MAX_MEMPOOL_BYTES = 16 * 1024 * 1024;

type Load = { readonly transactions: number; readonly bytes: number };

const NOTHING: Load = { transactions: 0, bytes: 0 };
const OF_ALL: Load = { transactions: MAX_MEMPOOL_TRANSACTIONS, bytes: MAX_MEMPOOL_BYTES };
/** The last quarter is left to what is urgent. */
const OF_WHAT_IS_NOT_URGENT: Load = { transactions: OF_ALL.transactions * 0.75, bytes: OF_ALL.bytes * 0.75 };
const OF_ONE_SIGNER: Load = { transactions: 256, bytes: 2 * 1024 * 1024 };

/** How much waits in the mempool, in all and of each signer. */
export class MempoolLoad {
  #all = NOTHING;
  readonly #ofSigner = new Map<string, Load>();

  /** Whether one more of this length may wait. No rule of the protocol: each node decides it for its own mempool. */
  hasRoomFor(signer: string, length: number, isUrgent: boolean): boolean {
    const ofSigner = withOneMore(this.#ofSigner.get(signer), length);
    const all = withOneMore(this.#all, length);
    return isWithin(ofSigner, OF_ONE_SIGNER) && isWithin(all, isUrgent ? OF_ALL : OF_WHAT_IS_NOT_URGENT);
  }

  add(signer: string, length: number): void {
    this.#all = withOneMore(this.#all, length);
    this.#ofSigner.set(signer, withOneMore(this.#ofSigner.get(signer), length));
  }
}

function withOneMore({ transactions, bytes }: Load = NOTHING, length: number): Load {
  return { transactions: transactions + 1, bytes: bytes + length };
}

function isWithin(load: Load, limit: Load): boolean {
  return load.transactions <= limit.transactions && load.bytes <= limit.bytes;
}
