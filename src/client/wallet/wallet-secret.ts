import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import {
  AppError,
  fromBase64,
  fromHex,
  normalPassphrase,
  passphraseForms,
  toBase64,
  toHex,
  utf8,
} from '../../shared/index.ts';

/** OWASP's minimum for scrypt: 32 MiB, about a tenth of a second. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 << 20 };
const AAD = utf8('careledger-wallet-seed/v1');
const SEED_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The wallet's seed as its file keeps it: plain in a file only its owner reads, or sealed under a passphrase as well. */
export type StoredSeed =
  | { readonly seed: string }
  | { readonly salt: string; readonly nonce: string; readonly sealed: string };

export function storeSeed(seed: Uint8Array, passphrase: string | undefined): StoredSeed {
  if (passphrase === undefined) return { seed: toHex(seed) };
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const key = scryptSync(normalPassphrase(passphrase), salt, SEED_BYTES, SCRYPT);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(AAD);
  const sealed = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
  return { salt: toBase64(salt), nonce: toBase64(nonce), sealed: toBase64(sealed) };
}

/** The seed, or undefined when the stored form is malformed. A missing or wrong passphrase is an error of its own. */
export function recoverSeed(stored: StoredSeed, passphrase: string | undefined): Uint8Array | undefined {
  if ('seed' in stored) {
    const seed = typeof stored.seed === 'string' ? fromHex(stored.seed) : undefined;
    return seed?.length === SEED_BYTES ? seed : undefined;
  }
  const [salt, nonce, sealed] = [stored.salt, stored.nonce, stored.sealed].map((text) =>
    typeof text === 'string' ? fromBase64(text) : undefined,
  );
  if (
    salt?.length !== SALT_BYTES ||
    nonce?.length !== NONCE_BYTES ||
    sealed?.length !== SEED_BYTES + TAG_BYTES
  )
    return undefined;
  if (passphrase === undefined)
    throw new AppError(
      'passphrase-missing',
      'This wallet is protected by a passphrase: set CARELEDGER_WALLET_PASSPHRASE.',
    );
  for (const form of passphraseForms(passphrase)) {
    const seed = unseal(sealed, nonce, scryptSync(form, salt, SEED_BYTES, SCRYPT));
    if (seed !== undefined) return seed;
  }
  throw new AppError(
    'wrong-passphrase',
    'The passphrase does not open this wallet, or its file is damaged. Nothing was changed.',
  );
}

function unseal(sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAAD(AAD);
  decipher.setAuthTag(sealed.subarray(SEED_BYTES));
  const seed = decipher.update(sealed.subarray(0, SEED_BYTES));
  try {
    decipher.final();
    return new Uint8Array(seed);
  } catch {
    return undefined;
  }
}
