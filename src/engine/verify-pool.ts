import { Worker } from 'node:worker_threads';
import { loadVerify } from './native-verify.ts';
import { packChecks, type SignatureCheck } from './signature-batch.ts';

const MAX_BATCH = 64;
/** Two batches a worker: one being checked, one waiting, so a worker never idles for the main thread. */
const BATCHES_PER_WORKER = 2;

type Pending = SignatureCheck & { readonly done: (valid: boolean) => void };
type Slot = { worker: Worker; readonly inFlight: Pending[][] };

/** Checks signatures off the main thread, or on it where there are no workers. Answers come in any order. */
export class VerifyPool {
  readonly #slots: Slot[];
  #waiting: Pending[] = [];
  #flushScheduled = false;
  #closed = false;

  constructor(workers: number) {
    this.#slots = Array.from({ length: workers }, (_, index) => ({
      worker: this.#start(index),
      inFlight: [],
    }));
  }

  /** Calls `done` later with whether the signature is valid. */
  check(check: SignatureCheck, done: (valid: boolean) => void): void {
    this.#waiting.push({
      publicKey: check.publicKey,
      message: check.message,
      signature: check.signature,
      done,
    });
    if (this.#waiting.length >= MAX_BATCH) this.#flush();
    else this.#scheduleFlush();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#slots.map((slot) => slot.worker.terminate()));
    for (const slot of this.#slots) this.#abandon(slot);
    this.#checkInline(this.#waiting.splice(0));
  }

  #start(index: number): Worker {
    const worker = new Worker(new URL('./verify-worker.ts', import.meta.url));
    worker.on('message', (verdicts: Uint8Array) => this.#settle(this.#slots[index] as Slot, verdicts));
    worker.on('error', () => this.#replace(index));
    return worker;
  }

  /** A worker that died takes nothing with it: its checks are made here, and a new one starts. */
  #replace(index: number): void {
    if (this.#closed) return;
    const slot = this.#slots[index] as Slot;
    slot.worker = this.#start(index);
    this.#abandon(slot);
  }

  #abandon(slot: Slot): void {
    this.#checkInline(slot.inFlight.splice(0).flat());
  }

  #checkInline(pending: readonly Pending[]): void {
    if (pending.length === 0) return;
    const verify = loadVerify();
    for (const one of pending) one.done(verify(one.publicKey, one.message, one.signature));
  }

  #settle(slot: Slot, verdicts: Uint8Array): void {
    const batch = slot.inFlight.shift() ?? [];
    this.#flush();
    for (const [index, one] of batch.entries()) one.done(verdicts[index] === 1);
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  /** Gives each batch to the worker with the least to do; an even share keeps both cores busy at low load. */
  #flush(): void {
    if (this.#slots.length === 0) this.#checkInline(this.#waiting.splice(0));
    while (this.#waiting.length > 0) {
      const slot = this.#slots.reduce((a, b) => (b.inFlight.length < a.inFlight.length ? b : a));
      if (slot.inFlight.length >= BATCHES_PER_WORKER) return;
      const share = Math.ceil(this.#waiting.length / this.#slots.length);
      const batch = this.#waiting.splice(0, Math.min(MAX_BATCH, Math.max(8, share)));
      const bytes = packChecks(batch);
      slot.inFlight.push(batch);
      slot.worker.postMessage(bytes, [bytes.buffer]);
    }
  }
}
