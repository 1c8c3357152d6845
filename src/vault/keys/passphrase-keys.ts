import { scrypt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import {
  AppError,
  CanonicalReader,
  CanonicalWriter,
  DecodeError,
  equalBytes,
  normalPassphrase,
  sha256,
  utf8,
} from '../../shared/index.ts';
import type { KeyProtector, ProtectedKeyName } from './key-protector.ts';
import { fileError, replaceFile } from './replace-file.ts';
import { KEY_BYTES, openBox, type Random, sealBox } from './sealed-box.ts';

const FORMAT = 'careledger-vault-keys/v1';
const SALT_BYTES = 32;
const NAMES: readonly ProtectedKeyName[] = ['root', 'backup'];
const DEFAULT_COST_LOG2 = 17;
const MAX_COST_LOG2 = 22;
const SCRYPT_BLOCK_SIZE = 8;
const MAX_KEYS = 1024;
const MAX_SECRET_BYTES = 4096;

export type PassphraseKeysOptions = {
  readonly path: string;
  readonly passphrase: string;
  readonly random: Random;
  /** Makes the file when it is not there; otherwise its absence is an error. */
  readonly create?: boolean;
  /** log2 of scrypt's N for a file that is made or re-encrypted; 17 unless a test asks for less. */
  readonly costLog2?: number;
};

/** A KeyProtector whose keys are in one file, encrypted under a passphrase. */
export type PassphraseKeys = KeyProtector & { changePassphrase(passphrase: string): Promise<void> };

type ProtectedKey = { readonly name: ProtectedKeyName; readonly version: number; readonly key: Uint8Array };
type Unlocked = {
  readonly salt: Uint8Array;
  readonly costLog2: number;
  readonly encryptionKey: Uint8Array;
  readonly keys: readonly ProtectedKey[];
};

/**
 * Opens or makes the file: scrypt (RFC 7914) over the passphrase, AES-256-GCM over the keys, and a checksum that tells a
 * damaged file from a wrong passphrase. Throws AppError `wrong-passphrase`, `damaged` or `not-found`.
 */
export async function openPassphraseKeys(options: PassphraseKeysOptions): Promise<PassphraseKeys> {
  const { path, random } = options;
  if (options.passphrase.length === 0)
    throw new AppError('wrong-passphrase', 'The passphrase is empty. Give one.');
  const costLog2 = options.costLog2 ?? DEFAULT_COST_LOG2;
  let state = existsSync(path) ? await unlock(path, options.passphrase) : await create(options, costLog2);
  // What is in memory counts only once it is on the disk: nothing may be wrapped under a key that the file does not hold.
  const replace = (next: Unlocked): void => {
    replaceFile(path, encodeFile(next, random));
    state = next;
  };
  return {
    wrap: async (name, secret, context) => wrapSecret(newest(state.keys, name), secret, context, random),
    unwrap: async (name, wrapped, context) => unwrapSecret(state.keys, name, wrapped, context),
    rotate: async (name) => {
      const version = newest(state.keys, name).version + 1;
      replace({ ...state, keys: [...state.keys, { name, version, key: random(KEY_BYTES) }] });
    },
    destroyOlder: async (name) => {
      const kept = newest(state.keys, name);
      const older = state.keys.filter((one) => one.name === name && one !== kept);
      replace({ ...state, keys: state.keys.filter((one) => !older.includes(one)) });
      for (const one of older) one.key.fill(0);
    },
    changePassphrase: async (passphrase) => {
      const salt = random(SALT_BYTES);
      const encryptionKey = await deriveKey(passphrase, salt, costLog2);
      replace({ salt, costLog2, encryptionKey, keys: state.keys });
    },
    close: () => {
      state.encryptionKey.fill(0);
      for (const one of state.keys) one.key.fill(0);
      state = { ...state, keys: [] };
    },
  };
}

async function create(options: PassphraseKeysOptions, costLog2: number): Promise<Unlocked> {
  const { path, passphrase, random } = options;
  if (options.create !== true)
    throw new AppError(
      'not-found',
      `There is no key file ${path}. Restore it from its copy; without it the vault cannot be read.`,
    );
  const salt = random(SALT_BYTES);
  const keys = NAMES.map((name) => ({ name, version: 1, key: random(KEY_BYTES) }));
  const state = { salt, costLog2, encryptionKey: await deriveKey(passphrase, salt, costLog2), keys };
  replaceFile(path, encodeFile(state, random));
  return state;
}

async function unlock(path: string, passphrase: string): Promise<Unlocked> {
  const { salt, costLog2, box } = readKeyFile(path);
  const encryptionKey = await deriveKey(passphrase, salt, costLog2);
  const plaintext = openBox(encryptionKey, box, headerOf(salt, costLog2));
  if (plaintext === undefined)
    throw new AppError(
      'wrong-passphrase',
      `The passphrase does not open ${path}. Nothing was changed; try the right one. Was a change of passphrase cut short? Then run \`careledger keys change-passphrase\` again.`,
    );
  return { salt, costLog2, encryptionKey, keys: decodeKeys(plaintext) };
}

function readKeyFile(path: string): { salt: Uint8Array; costLog2: number; box: Uint8Array } {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw fileError(path, cause);
  }
  const damaged = (cause?: unknown) =>
    new AppError(
      'damaged',
      `The key file ${path} is damaged. Put its copy in its place; nothing was changed.`,
      { cause },
    );
  const body = bytes.subarray(0, Math.max(0, bytes.length - KEY_BYTES));
  if (!equalBytes(sha256(body), bytes.subarray(body.length))) throw damaged();
  try {
    const reader = new CanonicalReader(body);
    if (reader.ascii(FORMAT.length) !== FORMAT) throw damaged();
    const costLog2 = reader.u8();
    if (costLog2 > MAX_COST_LOG2) throw damaged();
    const salt = reader.fixed(SALT_BYTES);
    const box = reader.bytes(1 << 20);
    reader.end();
    return { salt, costLog2, box };
  } catch (cause) {
    throw cause instanceof DecodeError ? damaged(cause) : cause;
  }
}

function headerOf(salt: Uint8Array, costLog2: number): Uint8Array {
  return new CanonicalWriter().ascii(FORMAT, 64).u8(costLog2).fixed(salt, SALT_BYTES).finish();
}

function encodeFile(state: Unlocked, random: Random): Uint8Array {
  const header = headerOf(state.salt, state.costLog2);
  const keys = new CanonicalWriter().u16(state.keys.length);
  for (const one of state.keys) keys.u8(NAMES.indexOf(one.name)).u32(one.version).fixed(one.key, KEY_BYTES);
  const box = sealBox(state.encryptionKey, keys.finish(), header, random);
  const body = new CanonicalWriter()
    .fixed(header, header.length)
    .bytes(box, 1 << 20)
    .finish();
  return new CanonicalWriter().fixed(body, body.length).fixed(sha256(body), KEY_BYTES).finish();
}

function decodeKeys(plaintext: Uint8Array): ProtectedKey[] {
  const reader = new CanonicalReader(plaintext);
  const count = Math.min(reader.u16(), MAX_KEYS);
  return Array.from({ length: count }, () => {
    const name = NAMES[reader.u8()] ?? 'root';
    return { name, version: reader.u32(), key: reader.fixed(KEY_BYTES) };
  });
}

function newest(keys: readonly ProtectedKey[], name: ProtectedKeyName): ProtectedKey {
  const own = keys.filter((one) => one.name === name);
  const last = own.reduce<ProtectedKey | undefined>(
    (best, one) => (best === undefined || one.version > best.version ? one : best),
    undefined,
  );
  if (last === undefined) throw new AppError('closed', 'The key file was closed. Open it again.');
  return last;
}

function wrapSecret(key: ProtectedKey, secret: Uint8Array, context: string, random: Random): Uint8Array {
  if (secret.length > MAX_SECRET_BYTES)
    throw new AppError('internal', 'A secret to be wrapped is over 4 KiB.');
  const box = sealBox(key.key, secret, associatedWith(key, context), random);
  return new CanonicalWriter().u32(key.version).fixed(box, box.length).finish();
}

function unwrapSecret(
  keys: readonly ProtectedKey[],
  name: ProtectedKeyName,
  wrapped: Uint8Array,
  context: string,
): Uint8Array {
  const version = wrapped.length < 4 ? 0 : new DataView(wrapped.buffer, wrapped.byteOffset).getUint32(0);
  const key = keys.find((one) => one.name === name && one.version === version);
  if (key === undefined) throw versionMissing(name, version, newest(keys, name).version);
  const secret = openBox(key.key, wrapped.subarray(4), associatedWith(key, context));
  if (secret === undefined)
    throw new AppError(
      'damaged',
      `What the ${name} key wrapped is damaged, or the key file is another vault's. Restore the last backup to a new folder.`,
    );
  return secret;
}

/** A version that an erasure destroyed, or one that this copy of the key file is too old to hold. */
function versionMissing(name: ProtectedKeyName, version: number, newestVersion: number): AppError {
  if (version > newestVersion)
    return new AppError(
      'not-found',
      `The key file is an older copy: it ends at version ${newestVersion} of the ${name} key, and version ${version} is needed. Use the copy made after the last erasure that came before what you open.`,
    );
  return new AppError(
    'erased',
    `The ${name} key that wrapped this (version ${version}) is not in the key file: an erasure or a new root key has destroyed it, or the file is another vault's.`,
  );
}

function associatedWith(key: ProtectedKey, context: string): Uint8Array {
  return utf8(`careledger/vault-wrap/v1\0${key.name}\0${key.version}\0${context}`);
}

function deriveKey(passphrase: string, salt: Uint8Array, costLog2: number): Promise<Uint8Array> {
  const N = 2 ** costLog2;
  const cost = { N, r: SCRYPT_BLOCK_SIZE, p: 1, maxmem: 256 * N * SCRYPT_BLOCK_SIZE };
  return new Promise((resolve, reject) => {
    scrypt(normalPassphrase(passphrase), salt, KEY_BYTES, cost, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
