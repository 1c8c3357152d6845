import type { WitnessAddress } from '../../client/index.ts';
import { parseVerifierKey } from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';

const MAX_WITNESSES = 16;

/** Pairs each witness's address with its key, in the order they were given. */
export function witnessAddresses(urls: readonly string[], keys: readonly string[]): WitnessAddress[] {
  if (urls.length !== keys.length)
    throw new AppError('usage', 'Give one --witness-key for each --witness, in the same order.');
  if (urls.length > MAX_WITNESSES)
    throw new AppError('usage', `A node asks at most ${MAX_WITNESSES} witnesses.`);
  const addresses = urls.map((url, index) => ({ url: checkedUrl(url), key: witnessKey(keys[index] ?? '') }));
  const names = new Set(addresses.map(({ key }) => key.name));
  const publicKeys = new Set(addresses.map(({ key }) => toHex(key.publicKey)));
  if (names.size === addresses.length && publicKeys.size === addresses.length) return addresses;
  throw new AppError('usage', 'Two of the witnesses have the same name or key: they would count as one.');
}

/** A witness's verifier key (C2SP signed-note), as `careledger witness` prints it. */
export function witnessKey(text: string): WitnessAddress['key'] {
  const key = parseVerifierKey(text.trim());
  if (key?.kind === 'witness') return key;
  throw new AppError(
    'usage',
    'The key of a witness looks like witness.example/w1+0a1b2c3d+BA…; `careledger witness` prints it.',
  );
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain =
    (url?.protocol === 'http:' || url?.protocol === 'https:') && url.username === '' && url.search === '';
  if (isPlain) return text;
  throw new AppError(
    'usage',
    'The address of a witness looks like https://witness.example or http://127.0.0.1:8491.',
  );
}
