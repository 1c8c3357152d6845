const BITS = 2 ** 25;
const PROBES = 4;

/** A Bloom filter over state keys, 4 MB: most keys a contract asks for and does not find never reach the disk. */
export class KeyFilter {
  readonly #words = new Uint32Array(BITS / 32);

  add(key: Uint8Array): void {
    for (const bit of probesOf(key))
      this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) | (1 << (bit & 31));
  }

  /** False only for a key that was never added. */
  mayHave(key: Uint8Array): boolean {
    return probesOf(key).every((bit) => ((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) !== 0);
  }
}

/** State keys are SHA-256 hashes, so their own bytes serve as the hash functions. */
function probesOf(key: Uint8Array): number[] {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return Array.from({ length: PROBES }, (_, probe) => view.getUint32(probe * 4) % BITS);
}
