import type { StateReader, StateWrite } from '../ledger/index.ts';
import type { IndexMark } from './state-batch.ts';

/** Where the values of state leaves are kept; the tree of hashes that vouches for them is elsewhere. */
export type StateValues = StateReader & {
  /** What says for certain whether a key has no value, for a store that can lose one. */
  confirmAbsenceWith(isAbsent: (key: Uint8Array) => boolean): void;
  /** Takes over the writes of a committed block. */
  apply(mark: IndexMark, writes: readonly StateWrite[]): void;
  /** Resolves when there is room for more writes; rejects when they can no longer be stored. */
  ready(): Promise<void>;
  close(): Promise<void>;
};

/** 32 bytes as a string of as many characters, to serve as the key of a Map. */
export function mapKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** All values in memory, for tests and for ledgers without a folder. */
export function memoryValues(): StateValues {
  const values = new Map<string, Uint8Array>();
  return {
    get: (key) => values.get(mapKey(key)),
    apply: (_mark, writes) => {
      for (const [key, value] of writes) {
        if (value === undefined) values.delete(mapKey(key));
        else values.set(mapKey(key), value);
      }
    },
    confirmAbsenceWith: () => undefined,
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
