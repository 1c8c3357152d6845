import { GROUPS_PER_ORGANISATION, type ShareHolder } from './share-holder.ts';

type Load = { readonly transactions: number; readonly bytes: number };

const MEBIBYTE = 1024 * 1024;
/** What may wait in the mempool, by the shares below. */
const OF_ALL: Load = { transactions: 10_000, bytes: 16 * MEBIBYTE };
const COMMON = partOf(OF_ALL, 1 / 2);
const RESERVED_FOR_URGENT = partOf(OF_ALL, 1 / 4);
const RESERVED_FOR_ANY = partOf(OF_ALL, 1 / 4);
const OF_ONE_SIGNER: Load = { transactions: 256, bytes: 2 * MEBIBYTE };
const URGENT_OF_ONE_SIGNER: Load = { transactions: 4, bytes: 4096 };

/**
 * What CometBFT's own mempool holds at most. Beyond it CometBFT refuses before it asks here, whatever it is; so it is more than all
 * shares, also where each was rounded up and some are of organisations that are no members any more. And a proposer sees all of it.
 */
export const MAX_MEMPOOL_TRANSACTIONS = 15_000;
export const MAX_MEMPOOL_BYTES = 20 * MEBIBYTE;

/** A transaction that waits, or asks whether it may. */
export type CountedTransaction = {
  readonly signer: string;
  readonly holder: ShareHolder;
  readonly length: number;
  readonly isUrgent: boolean;
};

type Place = 'for urgent' | 'of its group' | 'common';

/**
 * How much waits in the mempool. Half of it is for whoever comes first; the other half is reserved in equal shares for each group of
 * each organisation, a part of it for what is urgent. So whoever floods the mempool leaves everybody else their share.
 */
export class MempoolLoad {
  readonly #ofSigner = new Quota(OF_ONE_SIGNER);
  readonly #urgentOfSigner = new Quota(URGENT_OF_ONE_SIGNER);
  readonly #urgentOfGroup: Quota;
  readonly #ofGroup: Quota;
  readonly #common = new Quota(COMMON);

  constructor(organisations: number) {
    const groups = Math.max(1, organisations) * GROUPS_PER_ORGANISATION;
    this.#urgentOfGroup = new Quota(partOf(RESERVED_FOR_URGENT, 1 / groups));
    this.#ofGroup = new Quota(partOf(RESERVED_FOR_ANY, 1 / groups));
  }

  /** Whether one more may wait. No rule of the protocol: each node decides it for its own mempool. */
  hasRoomFor(counted: CountedTransaction): boolean {
    return this.#ofSigner.hasRoom(counted.signer, counted.length) && this.#placeFor(counted) !== undefined;
  }

  /** Counts one, also where there is no room: what waits already may stay. */
  add(counted: CountedTransaction): void {
    const { signer, holder, length } = counted;
    const place = this.#placeFor(counted) ?? 'common';
    this.#ofSigner.add(signer, length);
    if (place === 'for urgent') {
      this.#urgentOfSigner.add(signer, length);
      this.#urgentOfGroup.add(holder.group, length);
    } else if (place === 'of its group') this.#ofGroup.add(holder.group, length);
    else this.#common.add('', length);
  }

  #placeFor({ signer, holder: { group }, length, isUrgent }: CountedTransaction): Place | undefined {
    const mayBeFirst = isUrgent && this.#urgentOfSigner.hasRoom(signer, length);
    if (mayBeFirst && this.#urgentOfGroup.hasRoom(group, length)) return 'for urgent';
    if (this.#ofGroup.hasRoom(group, length)) return 'of its group';
    return this.#common.hasRoom('', length) ? 'common' : undefined;
  }
}

/** What several may have waiting, each as much as the others. */
class Quota {
  readonly #limit: Load;
  readonly #loads = new Map<string, { transactions: number; bytes: number }>();

  constructor(limit: Load) {
    this.#limit = limit;
  }

  /** One is always let in, or the largest would find no room in a small share. */
  hasRoom(name: string, length: number): boolean {
    const load = this.#loads.get(name);
    if (load === undefined) return true;
    return load.transactions < this.#limit.transactions && load.bytes + length <= this.#limit.bytes;
  }

  add(name: string, length: number): void {
    const load = this.#loads.get(name);
    if (load === undefined) this.#loads.set(name, { transactions: 1, bytes: length });
    else {
      load.transactions += 1;
      load.bytes += length;
    }
  }
}

function partOf({ transactions, bytes }: Load, part: number): Load {
  return { transactions: Math.ceil(transactions * part), bytes: Math.ceil(bytes * part) };
}
