const FIRST_CAPACITY = 4096;
const EMPTY = 0;

/**
 * Transaction id → leaf index, in an open-addressing table of twelve bytes a slot: 64 bits of the id and the leaf
 * index plus one. It is rebuilt from the log at every start. A hit is only a candidate: whoever asks compares the
 * full id with the transaction that stands at the leaf.
 */
export class TransactionIndex {
  #slots = new Uint32Array(FIRST_CAPACITY * 3);
  #capacity = FIRST_CAPACITY;
  #count = 0;

  add(transactionId: Uint8Array, leafIndex: number): void {
    if (this.#count * 2 >= this.#capacity) this.#grow();
    const [high, low] = prefixOf(transactionId);
    this.#insert(high, low, leafIndex + 1);
    this.#count++;
  }

  /** Leaves whose transaction id begins like this one: none or one, but for collisions of 64 bits. */
  candidates(transactionId: Uint8Array): number[] {
    const [high, low] = prefixOf(transactionId);
    const found: number[] = [];
    for (let slot = high % this.#capacity; this.#leafAt(slot) !== EMPTY; slot = (slot + 1) % this.#capacity) {
      if (this.#slots[slot * 3] === high && this.#slots[slot * 3 + 1] === low)
        found.push(this.#leafAt(slot) - 1);
    }
    return found;
  }

  #leafAt(slot: number): number {
    return this.#slots[slot * 3 + 2] as number;
  }

  #insert(high: number, low: number, leafIndexPlusOne: number): void {
    let slot = high % this.#capacity;
    while (this.#leafAt(slot) !== EMPTY) slot = (slot + 1) % this.#capacity;
    this.#slots.set([high, low, leafIndexPlusOne], slot * 3);
  }

  #grow(): void {
    const old = this.#slots;
    this.#capacity *= 2;
    this.#slots = new Uint32Array(this.#capacity * 3);
    for (let at = 0; at < old.length; at += 3) {
      if (old[at + 2] !== EMPTY)
        this.#insert(old[at] as number, old[at + 1] as number, old[at + 2] as number);
    }
  }
}

function prefixOf(transactionId: Uint8Array): [number, number] {
  const view = new DataView(transactionId.buffer, transactionId.byteOffset, 8);
  return [view.getUint32(0), view.getUint32(4)];
}
