import { randomBytes } from 'node:crypto';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import { readFileIfThere, writePrivateFile } from './files.ts';

const FORMAT = 'careledger-key/v1';
const HEX_32 = /^[0-9a-f]{64}$/;

/** A party's own key: a practitioner's, an organisation's, a device's. The account keeps its id when the key is rotated. */
export interface KeyFile {
  /** What its owner calls it; stays on the owner's machine. */
  name: string;
  accountId: string;
  publicKey: string;
  seed: Uint8Array;
}

/** A new key for a new account. */
export function createKey(name: string): KeyFile {
  const seed = new Uint8Array(randomBytes(32));
  const publicKey = publicKeyOf(seed);
  return { name, accountId: toHex(accountIdOf(publicKey)), publicKey: toHex(publicKey), seed };
}

/** A new key for an account that exists. */
export function createNextKey(current: KeyFile): KeyFile {
  return { ...createKey(current.name), accountId: current.accountId };
}

/** Writes a key to a file that only its owner may read; never over another one. */
export function writeKeyFile(path: string, key: KeyFile): void {
  if (readFileIfThere(path) !== undefined)
    throw new AppError(
      'conflict',
      `The file ${path} exists. Choose another name; a key is never overwritten.`,
    );
  const { name, accountId, publicKey, seed } = key;
  writePrivateFile(
    path,
    `${JSON.stringify({ format: FORMAT, name, accountId, publicKey, seed: toHex(seed) }, null, 1)}\n`,
  );
}

/** Reads a key file and checks that its parts belong together. */
export function readKeyFile(path: string): KeyFile {
  const bytes = readFileIfThere(path);
  if (bytes === undefined) throw new AppError('not-found', `There is no key file ${path}.`);
  const file = parseObject(bytes);
  const { format, name, accountId, publicKey, seed } = file;
  if (
    format !== FORMAT ||
    ![accountId, publicKey, seed].every((text) => typeof text === 'string' && HEX_32.test(text))
  ) {
    throw new AppError('invalid-request', `The file ${path} is not a CareLedger key file.`);
  }
  const key = {
    name: String(name ?? ''),
    accountId: accountId as string,
    publicKey: publicKey as string,
    seed: bytesOfHex(seed as string),
  };
  if (toHex(publicKeyOf(key.seed)) !== key.publicKey)
    throw new AppError('damaged', `The parts of the key file ${path} do not belong together.`);
  return key;
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
