import { AppError } from '../../shared/index.ts';

/** Gathers what arrives while a flush is under way into the next one: full batches under load, no delay without. */
export interface Batcher<Item> {
  /** Resolves when every one of `items` has been flushed. */
  add(items: Item[]): Promise<void>;
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>;
  readonly waiting: number;
}

interface Waiter {
  remaining: number;
  resolve: () => void;
  reject: (cause: unknown) => void;
}

/** A queue that hands over at most `maxBatch` items at a time, in the order they came, one flush after the other. */
export function createBatcher<Item>(options: {
  maxBatch: number;
  maxWaiting: number;
  flush: (batch: Item[]) => Promise<void>;
}): Batcher<Item> {
  let queue: { item: Item; waiter: Waiter }[] = [];
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    await Promise.resolve();
    while (queue.length > 0) {
      const batch = queue.slice(0, options.maxBatch);
      queue = queue.slice(batch.length);
      try {
        await options.flush(batch.map(({ item }) => item));
        for (const { waiter } of batch) if (--waiter.remaining === 0) waiter.resolve();
      } catch (cause) {
        for (const { waiter } of batch) waiter.reject(cause);
      }
    }
    running = undefined;
  };
  return {
    add(items) {
      if (items.length === 0) return Promise.resolve();
      if (queue.length + items.length > options.maxWaiting) {
        return Promise.reject(
          new AppError('busy', 'The node has more writes waiting than it can hold. Try again shortly.'),
        );
      }
      return new Promise((resolve, reject) => {
        const waiter = { remaining: items.length, resolve, reject };
        for (const item of items) queue.push({ item, waiter });
        running ??= run();
      });
    },
    async idle() {
      while (running !== undefined) await running;
    },
    get waiting() {
      return queue.length;
    },
  };
}
