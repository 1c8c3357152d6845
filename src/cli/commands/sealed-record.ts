import { openSealedCopy } from '../../client/index.ts';
import { deriveSealingKey } from '../../identity/index.ts';
import { AppError, parseJson, toHex } from '../../shared/index.ts';
import { type PatientConnection, readWallet } from '../connect.ts';

const VERSION = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/([1-9]\d{0,9}))?$/;

/** A record that the node keeps and cannot read, opened here. */
export type OpenedHere = { readonly resource: Record<string, unknown>; readonly promise: string | null };

/** Asks for the sealed copy of a version and opens it with the wallet, or with the one that the patient had before. */
export async function openSealedRecord(
  { client, custodian, wallet: present }: PatientConnection,
  token: string,
  reference: string,
  oldWallet: string | undefined,
): Promise<OpenedHere> {
  const [, resourceType = '', id = '', version] = VERSION.exec(reference) ?? [];
  if (id === '') throw new AppError('usage', 'A sealed record is read by its Type/id, one at a time.');
  const asked = { resourceType, id, ...(version !== undefined && { version: Number(version) }) };
  const { copy, promise } = await client.sealedCopy(asked, token);
  const wallet = oldWallet === undefined ? present : await readWallet(oldWallet);
  if (copy.grantee !== toHex(wallet.keyAt(custodian).accountId))
    throw new AppError(
      'record-sealed',
      `This record was sealed to the account ${copy.grantee}, a wallet that you had before. Only its file opens it: give it with --old-wallet.`,
    );
  const { plaintext } = await openSealedCopy(deriveSealingKey(wallet.seed, custodian), copy);
  return { resource: parseJson(plaintext) as Record<string, unknown>, promise };
}
