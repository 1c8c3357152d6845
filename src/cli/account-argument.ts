import { existsSync } from 'node:fs';
import { readKeyFile } from '../node/index.ts';
import { AppError } from '../shared/index.ts';

const ACCOUNT_ID = /^[0-9a-f]{64}$/;

/** An account named by its id, or by the key file of who it belongs to. */
export function accountOf(text: string): string {
  if (ACCOUNT_ID.test(text)) return text;
  if (existsSync(text)) return readKeyFile(text).accountId;
  throw new AppError(
    'usage',
    `"${text.slice(0, 80)}" is neither an account id (64 hexadecimal digits) nor a key file.`,
  );
}
