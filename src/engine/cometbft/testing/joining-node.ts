import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ContractTable, Genesis } from '../../../ledger/index.ts';
import type { AppError } from '../../../shared/index.ts';
import { proxyAppOf } from '../abci/abci-server.ts';
import { openCometBftEngine } from '../cometbft-engine.ts';
import { configureHome, consensusGenesis, createHome } from '../cometbft-home.ts';
import { runCometBft } from '../cometbft-process.ts';
import { freePorts, type LocalValidator, nodeSeedOf } from './local-network.ts';

/** A later block than the first, whose time is that of the genesis and so outside the trusting period. */
const TRUSTED_HEIGHT = 2;
/** The place of the one that joins, by which its node's key is chosen. */
export const JOINER_PLACE = 99;

export type JoinedNetwork = { readonly genesis: Genesis; readonly rpcUrls: readonly string[] };

type JoinedNode = LocalValidator & { close(): Promise<void> };

/** The software of a node that joins: the rules that it knows, and whom it tells that it knows too few. */
type Software = { readonly contracts?: ContractTable; readonly onUpgradeNeeded?: (error: AppError) => void };

/** A node without a vote that joins a network by state sync: it takes a snapshot from its peers, and then the blocks after it. */
export async function joinByStateSync(
  binary: string,
  network: JoinedNetwork,
  folder: string,
  log: (line: string) => void,
): Promise<JoinedNode> {
  const { rpcUrls } = network;
  return joinNetwork(binary, network, folder, log, {
    'statesync.enable': 'true',
    // CometBFT wants two; on a network of one validator they are the same.
    'statesync.rpc_servers': JSON.stringify([...rpcUrls, ...rpcUrls].slice(0, 2).join(',')),
    'statesync.trust_height': String(TRUSTED_HEIGHT),
    'statesync.trust_hash': JSON.stringify(await blockHash(rpcUrls[0] as string, TRUSTED_HEIGHT)),
    'statesync.trust_period': '"168h0m0s"',
    'statesync.discovery_time': '"5s"',
  });
}

/** A second node with the key of a validator, as after a move to another machine on which the old one was left running. */
export async function joinWithKeyOf(
  validator: LocalValidator,
  binary: string,
  network: JoinedNetwork,
  folder: string,
): Promise<JoinedNode> {
  const key = join(validator.home, 'config', 'priv_validator_key.json');
  return joinNetwork(binary, network, folder, () => undefined, {
    priv_validator_key_file: JSON.stringify(key),
  });
}

/** A node without a vote that takes the blocks over one by one; called again on the same folder it goes on there. */
export async function joinByBlocks(
  binary: string,
  network: JoinedNetwork,
  folder: string,
  log: (line: string) => void,
  software: Software,
): Promise<JoinedNode> {
  return joinNetwork(binary, network, folder, log, {}, software);
}

async function joinNetwork(
  binary: string,
  { genesis, rpcUrls }: JoinedNetwork,
  folder: string,
  log: (line: string) => void,
  extra: Record<string, string>,
  software: Software = {},
): Promise<JoinedNode> {
  const home = join(folder, 'joiner', 'cometbft');
  mkdirSync(home, { recursive: true });
  await createHome(binary, home, 'joiner');
  const [rpcPort = 0, p2pPort = 0] = await freePorts(2);
  const rpcUrl = `http://127.0.0.1:${rpcPort}`;
  const engine = await openCometBftEngine({
    folder: join(folder, 'joiner', 'ledger'),
    genesis,
    nodeSeed: nodeSeedOf(JOINER_PLACE),
    rpcUrl,
    log,
    ...software,
  });
  configureHome(home, consensusGenesis(genesis), {
    name: 'joiner',
    proxyApp: proxyAppOf(engine.abci),
    rpcPort,
    p2pHost: '127.0.0.1',
    p2pPort,
    peers: await Promise.all(rpcUrls.map(peerOf)),
    isLocal: true,
    extra,
  });
  const consensus = runCometBft(binary, home, log);
  const close = async (): Promise<void> => {
    await consensus.stop();
    await engine.close();
  };
  return { engine, consensus, home, rpcUrl, close };
}

/** The first block that a node's CometBFT has; undefined while it does not answer. */
export async function earliestBlock(rpcUrl: string): Promise<number | undefined> {
  try {
    const { sync_info } = await askRpc<{ sync_info: { earliest_block_height: string } }>(rpcUrl, 'status');
    return Number(sync_info.earliest_block_height);
  } catch {
    return undefined;
  }
}

/** The power by which a node's key votes. */
export async function votingPower(rpcUrl: string): Promise<number> {
  type Status = { validator_info: { voting_power: string } };
  return Number((await askRpc<Status>(rpcUrl, 'status')).validator_info.voting_power);
}

async function peerOf(rpcUrl: string): Promise<string> {
  const { node_info } = await askRpc<{ node_info: { id: string; listen_addr: string } }>(rpcUrl, 'status');
  return `${node_info.id}@${node_info.listen_addr.replace('tcp://', '')}`;
}

async function blockHash(rpcUrl: string, height: number): Promise<string> {
  const { block_id } = await askRpc<{ block_id: { hash: string } }>(rpcUrl, `block?height=${height}`);
  return block_id.hash;
}

async function askRpc<Answer>(rpcUrl: string, path: string): Promise<Answer> {
  const response = await fetch(`${rpcUrl}/${path}`);
  const { result } = (await response.json()) as { result?: Answer };
  if (result === undefined) throw new Error(`CometBFT has no answer to ${path}.`);
  return result;
}
