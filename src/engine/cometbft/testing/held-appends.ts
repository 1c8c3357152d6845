import type { TestContext } from 'node:test';
import { BlockLog } from '../../block-log.ts';

/** A disk that stands still: the next frame is written, and those after it, when it is released. */
export function holdAppends(t: TestContext): { readonly begun: Promise<void>; readonly release: () => void } {
  const begun = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const append = BlockLog.prototype.append;
  t.mock.method(
    BlockLog.prototype,
    'append',
    async function (this: BlockLog, ...frame: Parameters<typeof append>) {
      begun.resolve();
      await released.promise;
      return append.apply(this, frame);
    },
  );
  return { begun: begun.promise, release: released.resolve };
}
