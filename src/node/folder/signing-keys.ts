import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { AppError, normalPassphrase, passphraseForms } from '../../shared/index.ts';
import { replaceFile } from '../../vault/index.ts';
import { readFileIfThere } from './files.ts';

const FORMAT = 'careledger-signing-keys/v1';
/** OWASP's minimum for scrypt: 32 MiB, about a tenth of a second. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 };
const SEED_BYTES = 32;

/** The seeds this node signs with: the ledger's operator and the custodian of the records. */
export interface SigningKeys {
  operatorSeed: Uint8Array;
  custodianSeed: Uint8Array;
}

/** Writes the seeds encrypted under the passphrase, over those that are there. */
export function writeSigningKeys(path: string, keys: SigningKeys, passphrase: string): void {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const key = scryptSync(normalPassphrase(passphrase), salt, 32, SCRYPT);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(FORMAT));
  const sealed = Buffer.concat([
    cipher.update(keys.operatorSeed),
    cipher.update(keys.custodianSeed),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  const file = {
    format: FORMAT,
    salt: salt.toString('base64'),
    nonce: nonce.toString('base64'),
    sealed: sealed.toString('base64'),
  };
  replaceFile(path, Buffer.from(`${JSON.stringify(file, null, 1)}\n`));
}

/** Opens the seeds; a wrong passphrase is told from a missing or unreadable file. */
export function readSigningKeys(path: string, passphrase: string): SigningKeys {
  const file = parseFile(path);
  for (const form of passphraseForms(passphrase)) {
    const keys = unseal(file, form);
    if (keys !== undefined) return keys;
  }
  throw new AppError(
    'wrong-passphrase',
    'The passphrase does not open the keys of this data folder, or the key file is damaged. Nothing was changed. Was a change of passphrase cut short? Then run `careledger keys change-passphrase` again.',
  );
}

function unseal({ salt, nonce, sealed }: SealedKeys, passphrase: string): SigningKeys | undefined {
  const decipher = createDecipheriv('aes-256-gcm', scryptSync(passphrase, salt, 32, SCRYPT), nonce);
  decipher.setAAD(Buffer.from(FORMAT));
  decipher.setAuthTag(sealed.subarray(2 * SEED_BYTES));
  const seeds = decipher.update(sealed.subarray(0, 2 * SEED_BYTES));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return {
    operatorSeed: new Uint8Array(seeds.subarray(0, SEED_BYTES)),
    custodianSeed: new Uint8Array(seeds.subarray(SEED_BYTES)),
  };
}

interface SealedKeys {
  salt: Buffer;
  nonce: Buffer;
  sealed: Buffer;
}

function parseFile(path: string): SealedKeys {
  const bytes = readFileIfThere(path);
  if (bytes === undefined)
    throw new AppError('damaged', `The key file ${path} is missing. Restore it from a backup.`);
  try {
    const file = JSON.parse(bytes.toString('utf8')) as Record<string, string>;
    const [salt, nonce, sealed] = ['salt', 'nonce', 'sealed'].map((name) =>
      Buffer.from(file[name] ?? '', 'base64'),
    );
    if (
      file.format === FORMAT &&
      salt?.length === 16 &&
      nonce?.length === 12 &&
      sealed?.length === 2 * SEED_BYTES + 16
    ) {
      return { salt, nonce, sealed };
    }
  } catch {
    // Falls through: whatever is wrong with the file, the answer is the same.
  }
  throw new AppError('damaged', `The key file ${path} is damaged. Restore it from a backup.`);
}
