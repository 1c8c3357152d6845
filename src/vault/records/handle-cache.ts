import { toHex } from '../../shared/index.ts';
import type { SealedRecord } from '../record.ts';

const MAX_BYTES = 16 * 1024 * 1024;
const OVERHEAD_BYTES = 600;

type Cached = { readonly handle: SealedRecord; readonly bytes: number };

/**
 * Current versions that were read lately, still sealed: opening one decrypts it each time. One process owns the
 * database, so what it writes is all there is to invalidate.
 */
export class HandleCache {
  readonly #byName = new Map<string, Cached>();
  #bytes = 0;
  #generation = 0;

  /** Grows with every change: what was read before a change is not remembered after it. */
  get generation(): number {
    return this.#generation;
  }

  get(name: string): SealedRecord | undefined {
    const cached = this.#byName.get(name);
    if (cached === undefined) return undefined;
    this.#byName.delete(name);
    this.#byName.set(name, cached);
    return cached.handle;
  }

  remember(name: string, handle: SealedRecord, contentBytes: number, generation: number): void {
    if (generation !== this.#generation || contentBytes > MAX_BYTES / 16) return;
    this.#remove(name);
    const bytes = contentBytes + OVERHEAD_BYTES;
    this.#byName.set(name, { handle, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#byName.keys()) {
      if (this.#bytes <= MAX_BYTES) return;
      this.#remove(oldest);
    }
  }

  forget(names: Iterable<Uint8Array>): void {
    this.#generation += 1;
    for (const name of names) this.#remove(toHex(name));
  }

  clear(): void {
    this.#generation += 1;
    this.#byName.clear();
    this.#bytes = 0;
  }

  #remove(name: string): void {
    const cached = this.#byName.get(name);
    if (cached === undefined) return;
    this.#byName.delete(name);
    this.#bytes -= cached.bytes;
  }
}
