import { assert, compareBytes } from '../../shared/index.ts';
import { HASH_BYTES } from './state-hash.ts';
import type { StateReader, StateWrite, StateWriter } from './state-key.ts';

/** Writes on top of a state that is not changed itself: what a block or a transaction has done so far. */
export type StateOverlay = StateWriter & { writes(): StateWrite[] };

export function createOverlay(base: StateReader): StateOverlay {
  const written = new Map<string, StateWrite>();
  return {
    get(key) {
      const write = written.get(nameOf(key));
      return write === undefined ? base.get(key) : write[1];
    },
    set(key, value) {
      written.set(nameOf(key), [key, value]);
    },
    /** Sorted by key, so that nothing depends on the order in which they were made. */
    writes: () => [...written.values()].sort((left, right) => compareBytes(left[0], right[0])),
  };
}

/** A map's name for a key of 32 bytes, two bytes a character; written out because it is five times faster so than hexadecimal. */
function nameOf(key: Uint8Array): string {
  assert(key.length === HASH_BYTES, 'a state key has 32 bytes');
  return String.fromCharCode(
    pair(key, 0),
    pair(key, 2),
    pair(key, 4),
    pair(key, 6),
    pair(key, 8),
    pair(key, 10),
    pair(key, 12),
    pair(key, 14),
    pair(key, 16),
    pair(key, 18),
    pair(key, 20),
    pair(key, 22),
    pair(key, 24),
    pair(key, 26),
    pair(key, 28),
    pair(key, 30),
  );
}

function pair(key: Uint8Array, offset: number): number {
  return ((key[offset] as number) << 8) | (key[offset + 1] as number);
}
