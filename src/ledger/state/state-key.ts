import { CanonicalWriter, sha256 } from '../../shared/index.ts';

const MAX_TABLE_CHARACTERS = 64;
const MAX_RAW_KEY_BYTES = 256;

/** Reads the value of a state key of 32 bytes. */
export type StateReader = { get(key: Uint8Array): Uint8Array | undefined };

/** Reads and writes state; undefined removes a value. */
export type StateWriter = StateReader & { set(key: Uint8Array, value: Uint8Array | undefined): void };

export type StateWrite = readonly [key: Uint8Array, value: Uint8Array | undefined];

/** Where a row of a contract's table lives in the state map. Hashing spreads keys evenly, so no one can grow a deep branch. */
export function stateKey(contract: number, table: string, rawKey: Uint8Array): Uint8Array {
  return sha256(
    new CanonicalWriter()
      .ascii('careledger/state/v1', MAX_TABLE_CHARACTERS)
      .u8(contract)
      .ascii(table, MAX_TABLE_CHARACTERS)
      .bytes(rawKey, MAX_RAW_KEY_BYTES)
      .finish(),
  );
}
