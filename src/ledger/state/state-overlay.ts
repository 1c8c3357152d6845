import { compareBytes, toHex } from '../../shared/index.ts';
import type { StateReader, StateWrite, StateWriter } from './state-key.ts';

/** Writes on top of a state that is not changed itself: what a block or a transaction has done so far. */
export type StateOverlay = StateWriter & { writes(): StateWrite[] };

export function createOverlay(base: StateReader): StateOverlay {
  const written = new Map<string, StateWrite>();
  return {
    get(key) {
      const write = written.get(toHex(key));
      return write === undefined ? base.get(key) : write[1];
    },
    set(key, value) {
      written.set(toHex(key), [key, value]);
    },
    /** Sorted by key, so that nothing depends on the order in which they were made. */
    writes: () => [...written.values()].sort((left, right) => compareBytes(left[0], right[0])),
  };
}
