import { AppError, fromHex } from '../shared/index.ts';

/** The bytes of lower-case hex, such as an account id in JSON; anything else is refused by what it is called. */
export function bytesOfHex(text: string, name = 'account id', bytes = 32): Uint8Array {
  const value = text.length === 2 * bytes ? fromHex(text) : undefined;
  if (value !== undefined) return value;
  throw new AppError('invalid-request', `The ${name} must be ${bytes} bytes in lower-case hex.`);
}
