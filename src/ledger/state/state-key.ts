import { CanonicalWriter, sha256 } from '../../shared/index.ts';

const MAX_TABLE_CHARACTERS = 64;
const MAX_RAW_KEY_BYTES = 256;

/** Reads the value of a state key of 32 bytes. */
export type StateReader = { get(key: Uint8Array): Uint8Array | undefined };

/** Reads and writes state; undefined removes a value. */
export type StateWriter = StateReader & { set(key: Uint8Array, value: Uint8Array | undefined): void };

export type StateWrite = readonly [key: Uint8Array, value: Uint8Array | undefined];

/** The encoded keys of each table with room for the raw key at the end: a dozen tables, and one length of raw key in each. */
const templates = new Map<string, Uint8Array>();

/** Where a row of a contract's table lives in the state map. Hashing spreads keys evenly, so no one can grow a deep branch. */
export function stateKey(contract: number, table: string, rawKey: Uint8Array): Uint8Array {
  const template = templateOf(contract, table, rawKey.length);
  template.set(rawKey, template.length - rawKey.length);
  return sha256(template);
}

function templateOf(contract: number, table: string, rawKeyLength: number): Uint8Array {
  const name = `${contract}/${table}/${rawKeyLength}`;
  const known = templates.get(name);
  if (known !== undefined) return known;
  const template = new CanonicalWriter()
    .ascii('careledger/state/v1', MAX_TABLE_CHARACTERS)
    .u8(contract)
    .ascii(table, MAX_TABLE_CHARACTERS)
    .bytes(new Uint8Array(rawKeyLength), MAX_RAW_KEY_BYTES)
    .finish();
  templates.set(name, template);
  return template;
}
