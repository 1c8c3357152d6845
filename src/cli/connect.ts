import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAssertion,
  createNodeClient,
  type Enrolment,
  type NodeClient,
  openPinnedHeads,
  openWallet,
  type PatientKey,
  type Wallet,
} from '../client/index.ts';
import { readKeyFile } from '../node/index.ts';
import { AppError, fromHex, toHex } from '../shared/index.ts';
import { homeFolder, makeFolderOf } from './home.ts';

/** Who acts: a party with a key file, or a patient with a wallet. */
export interface Identity {
  accountId: Uint8Array;
  seed: Uint8Array;
}

/**
 * A client of a node that notices when the node's ledger goes back or is replaced; with a chain id, or the one in CARELEDGER_CHAIN, it
 * takes no other chain.
 */
export function connect(nodeUrl: string, wanted?: Uint8Array): NodeClient {
  const file = join(homeFolder(), 'heads.json');
  makeFolderOf(file);
  const chainId = wanted ?? chainOfEnvironment();
  const trust = chainId === undefined ? {} : { trust: { chainId } };
  return createNodeClient({ baseUrl: nodeUrl, pinnedHeads: openPinnedHeads(file), ...trust });
}

function chainOfEnvironment(): Uint8Array | undefined {
  const text = process.env.CARELEDGER_CHAIN ?? '';
  if (text === '') return undefined;
  const chainId = fromHex(text);
  if (chainId?.length === 32) return chainId;
  throw new AppError('usage', 'CARELEDGER_CHAIN is the id of a chain, 64 hexadecimal digits.');
}

/** A patient at a node: the client takes only the chain that the wallet was enrolled on. */
export interface PatientConnection {
  client: NodeClient;
  identity: PatientKey;
  wallet: Wallet;
  enrolment: Enrolment;
  custodian: Uint8Array;
  chainId: Uint8Array;
}

/** Connects a wallet to the custodian that runs the node, on the chain of its enrolment; refuses any other before a word is signed. */
export async function connectPatient(nodeUrl: string, wallet: Wallet): Promise<PatientConnection> {
  const custodian = await custodianOf(connect(nodeUrl));
  const enrolment = wallet.enrolments.find((each) => each.custodian === toHex(custodian));
  if (enrolment === undefined)
    throw new AppError(
      'not-found',
      'This wallet is not enrolled at that node. Ask the hospital for a code and run `careledger wallet enrol`.',
    );
  const chainId = fromHex(enrolment.chainId) as Uint8Array;
  const client = connect(nodeUrl, chainId);
  await client.genesis();
  return { client, identity: wallet.keyAt(custodian), wallet, enrolment, custodian, chainId };
}

/** Opens a wallet; its passphrase, when it has one, comes from the environment. */
export function readWallet(file: string): Promise<Wallet> {
  return openWallet(file, { passphrase: process.env.CARELEDGER_WALLET_PASSPHRASE });
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

/** Connects the holder of a key file or, told by its format, of a wallet; refuses a node whose chain was replaced before a word is signed. */
export async function connectAs(
  nodeUrl: string,
  file: string,
): Promise<{ client: NodeClient; identity: Identity; patient?: PatientConnection }> {
  if (formatOf(file).startsWith('careledger-wallet/')) {
    const patient = await connectPatient(nodeUrl, await readWallet(file));
    return { client: patient.client, identity: patient.identity, patient };
  }
  const { accountId, seed } = readKeyFile(file);
  const client = connect(nodeUrl);
  await client.genesis();
  return { client, identity: { accountId: fromHex(accountId) as Uint8Array, seed } };
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
