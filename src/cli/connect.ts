import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAssertion,
  createNodeClient,
  type NodeClient,
  openPinnedHeads,
  openWallet,
  type Wallet,
} from '../client/index.ts';
import { readKeyFile } from '../node/index.ts';
import { AppError, fromHex } from '../shared/index.ts';
import { homeFolder, makeFolderOf } from './home.ts';

/** Who acts: a party with a key file, or a patient with a wallet. */
export interface Identity {
  accountId: Uint8Array;
  seed: Uint8Array;
}

/** A client of a node that notices when the node's ledger goes back or is replaced. */
export function connect(nodeUrl: string): NodeClient {
  const file = join(homeFolder(), 'heads.json');
  makeFolderOf(file);
  return createNodeClient({ baseUrl: nodeUrl, pinnedHeads: openPinnedHeads(file) });
}

/** Opens a wallet; its passphrase, when it has one, comes from the environment. */
export function readWallet(file: string): Promise<Wallet> {
  return openWallet(file, { passphrase: process.env.CARELEDGER_WALLET_PASSPHRASE });
}

/** The patient's identity at the custodian that runs the node. */
export async function patientIdentity(client: NodeClient, wallet: Wallet): Promise<Identity> {
  const custodian = await custodianOf(client);
  if (wallet.enrolments.some((enrolment) => enrolment.custodian === Buffer.from(custodian).toString('hex')))
    return wallet.keyAt(custodian);
  throw new AppError(
    'not-found',
    'This wallet is not enrolled at that node. Ask the hospital for a code and run `careledger wallet enrol`.',
  );
}

/** The account id of the organisation that runs the node. */
export async function custodianOf(client: NodeClient): Promise<Uint8Array> {
  const { custodian } = await client.describe();
  const bytes = typeof custodian === 'string' ? fromHex(custodian) : undefined;
  if (bytes?.length === 32) return bytes;
  throw new AppError(
    'node-unreachable',
    'The node does not say whose it is. Is it a CareLedger node of this version?',
  );
}

/** The identity in a key file or, told by its format, in a wallet. */
export async function readIdentity(client: NodeClient, file: string): Promise<Identity> {
  if (formatOf(file).startsWith('careledger-wallet/')) return patientIdentity(client, await readWallet(file));
  const { accountId, seed } = readKeyFile(file);
  return { accountId: fromHex(accountId) as Uint8Array, seed };
}

/** Proves possession of the key and returns a session token. */
export async function openSession(
  client: NodeClient,
  identity: Identity,
  purpose: string | undefined,
): Promise<string> {
  const claims = { accountId: identity.accountId, audience: client.tokenEndpoint, nowMs: Date.now() };
  const assertion = await createAssertion(identity.seed, {
    ...claims,
    ...(purpose !== undefined && { purpose }),
  });
  return (await client.token(assertion)).token;
}

function formatOf(file: string): string {
  try {
    const { format } = JSON.parse(readFileSync(file, 'utf8')) as { format?: unknown };
    return typeof format === 'string' ? format : '';
  } catch {
    throw new AppError('not-found', `${file} is not a key file or a wallet, or cannot be read.`);
  }
}
