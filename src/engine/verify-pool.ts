import { Worker } from 'node:worker_threads';
import { verifyNatively } from './native-verify.ts';
import { packChecks, type SignatureCheck } from './signature-batch.ts';

/** Workers make short-lived garbage only; V8's default would keep tens of megabytes for each. */
const YOUNG_GENERATION_MB = 4;
const MIN_BATCH = 8;
/** What one block executes while the worker checks the next; larger ones would make the two take turns. */
const MAX_BATCH = 32;
/** Two batches a worker: one being checked, one waiting, so a worker never idles for the main thread. */
const BATCHES_PER_WORKER = 2;

type Pending = SignatureCheck & { readonly done: (valid: boolean) => void };
/** A worker is given work once it has said that it is ready; loading its modules takes a while. */
type Slot = { worker: Worker; isReady: boolean; readonly inFlight: Pending[][] };

/** Checks signatures off the main thread, or on it where there are no workers. Answers come in any order. */
export class VerifyPool {
  readonly #slots: Slot[];
  #waiting: Pending[] = [];
  #flushScheduled = false;
  #closed = false;

  constructor(workers: number) {
    this.#slots = Array.from({ length: workers }, (_, index) => ({
      worker: this.#start(index),
      isReady: false,
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
    const worker = new Worker(new URL('./verify-worker.ts', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    worker.on('message', (verdicts: Uint8Array | null) => this.#hear(this.#slots[index] as Slot, verdicts));
    worker.on('error', () => this.#replace(index));
    return worker;
  }

  /** A worker that died takes nothing with it: its checks are made here. One that never got ready is not started again. */
  #replace(index: number): void {
    if (this.#closed) return;
    const slot = this.#slots[index] as Slot;
    if (slot.isReady) slot.worker = this.#start(index);
    slot.isReady = false;
    this.#abandon(slot);
  }

  #hear(slot: Slot, verdicts: Uint8Array | null): void {
    if (verdicts === null) slot.isReady = true;
    else this.#settle(slot, verdicts);
  }

  #abandon(slot: Slot): void {
    this.#checkInline(slot.inFlight.splice(0).flat());
  }

  #checkInline(pending: readonly Pending[]): void {
    for (const one of pending) one.done(verifyNatively(one.publicKey, one.message, one.signature));
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

  /**
   * Gives each batch to the worker with the least to do; an even share keeps all of them busy at low load. One check alone
   * is made here: that takes less than asking a worker.
   */
  #flush(): void {
    const ready = this.#slots.filter(({ isReady }) => isReady);
    if (ready.length === 0 || this.#waiting.length === 1) this.#checkInline(this.#waiting.splice(0));
    while (this.#waiting.length > 0) {
      const slot = ready.reduce((a, b) => (b.inFlight.length < a.inFlight.length ? b : a));
      if (slot.inFlight.length >= BATCHES_PER_WORKER) return;
      const share = Math.ceil(this.#waiting.length / ready.length);
      const batch = this.#waiting.splice(0, Math.min(MAX_BATCH, Math.max(MIN_BATCH, share)));
      const bytes = packChecks(batch);
      slot.inFlight.push(batch);
      slot.worker.postMessage(bytes, [bytes.buffer]);
    }
  }
}
