import { createHmac, hash } from 'node:crypto';
import { AppError, concatBytes } from '../../shared/index.ts';
import type { KeyProtector } from './key-protector.ts';
import { KEY_BYTES, type Random } from './sealed-box.ts';

/** What one vault has below the protector's root: every other key hangs on these. */
export type Keyring = {
  /** Wraps category keys; renewed by every erasure. */
  readonly root: Uint8Array;
  /** Makes search tokens. */
  readonly index: Uint8Array;
  /** Hashes what could be guessed: record ids, subjects, table keys. */
  readonly naming: Uint8Array;
  /** Seals table values that belong to no patient. */
  readonly table: Uint8Array;
};

const CONTEXT = 'careledger/vault-keyring/v1';
const FIELDS = ['root', 'index', 'naming', 'table'] as const;
const NAME_BYTES = 16;
const HMAC_BLOCK_BYTES = 64;
const SHORT_MESSAGE_BYTES = 512;
const MAX_BYTES_OF_CHARACTER = 3;

export function newKeyring(random: Random): Keyring {
  return {
    root: random(KEY_BYTES),
    index: random(KEY_BYTES),
    naming: random(KEY_BYTES),
    table: random(KEY_BYTES),
  };
}

export function wrapKeyring(keys: KeyProtector, keyring: Keyring): Promise<Uint8Array> {
  return keys.wrap('root', concatBytes(...FIELDS.map((field) => keyring[field])), CONTEXT);
}

export async function unwrapKeyring(keys: KeyProtector, wrapped: Uint8Array): Promise<Keyring> {
  const bytes = await keys.unwrap('root', wrapped, CONTEXT);
  if (bytes.length !== FIELDS.length * KEY_BYTES)
    throw new AppError('damaged', 'The vault’s keyring has the wrong length. Restore the last backup.');
  const part = (index: number) => bytes.slice(index * KEY_BYTES, (index + 1) * KEY_BYTES);
  return { root: part(0), index: part(1), naming: part(2), table: part(3) };
}

/** A keyed hash of 16 bytes: what stands in the database for something that could be guessed. */
export type Naming = (domain: string, ...parts: readonly string[]) => Uint8Array;

/** HMAC-SHA256 under a fixed key, cut to 16 bytes; the parts are joined so that no two lists read alike. */
export function namingWith(key: Uint8Array): Naming {
  const mac = hmacWith(key);
  return (domain, ...parts) =>
    Buffer.from(mac(`${domain}\0${JSON.stringify(parts)}`).slice(0, NAME_BYTES), 'latin1');
}

/**
 * HMAC-SHA256 (RFC 2104) of a text, one character (Latin-1) for each of its 32 bytes. Two one-shot hashes that give texts cost a
 * third of createHmac, for messages as short as these.
 */
export function hmacWith(key: Uint8Array): (message: string) => string {
  const inner = Buffer.alloc(HMAC_BLOCK_BYTES, 0x36);
  const outer = Buffer.alloc(HMAC_BLOCK_BYTES + KEY_BYTES, 0x5c);
  for (let at = 0; at < key.length; at++) {
    inner[at] = (inner[at] ?? 0) ^ (key[at] ?? 0);
    outer[at] = (outer[at] ?? 0) ^ (key[at] ?? 0);
  }
  let scratch = Buffer.alloc(HMAC_BLOCK_BYTES + SHORT_MESSAGE_BYTES);
  scratch.set(inner);
  return (message) => {
    const room = HMAC_BLOCK_BYTES + MAX_BYTES_OF_CHARACTER * message.length;
    if (room > scratch.length) {
      scratch = Buffer.alloc(room);
      scratch.set(inner);
    }
    const length = scratch.write(message, HMAC_BLOCK_BYTES, 'utf8');
    const digest = hash('sha256', scratch.subarray(0, HMAC_BLOCK_BYTES + length), 'binary');
    outer.write(digest, HMAC_BLOCK_BYTES, 'latin1');
    return hash('sha256', outer, 'binary');
  };
}

/** HMAC-SHA256 over long messages. */
export function macOf(key: Uint8Array, message: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(message).digest();
}
