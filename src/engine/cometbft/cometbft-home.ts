import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Genesis } from '../../ledger/index.ts';
import { AppError, toBase64 } from '../../shared/index.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_REQUESTS } from './broadcast.ts';
import { appStateOf, consensusChainName } from './consensus-genesis.ts';
import { MAX_MEMPOOL_BYTES, MAX_MEMPOOL_TRANSACTIONS } from './mempool-load.ts';

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 20_000;
/** More than the mempool holds, so a proposer always sees all of it and can put first what is urgent. */
const MAX_REAPED_BYTES = 22_020_096;
const MAX_PEER_BYTES_A_SECOND = 20_480_000;
const MAX_TRANSACTION_BYTES = 1024 * 1024;

/** What others must know of a validator before there is a genesis file. No private key is in it. */
export type ValidatorCard = {
  readonly name: string;
  /** The key that signs votes, in base64. */
  readonly publicKey: string;
  /** Names the node to its peers. */
  readonly nodeId: string;
};

export type HomeSettings = {
  readonly name: string;
  readonly proxyApp: string;
  readonly rpcPort: number;
  readonly p2pHost: string;
  readonly p2pPort: number;
  /** `<node id>@<host>:<port>` of the others. */
  readonly peers: readonly string[];
  /** Allows several nodes with one address, as on one machine. */
  readonly isLocal: boolean;
  /** Settings beyond these, by section and name. */
  readonly extra?: Readonly<Record<string, string>>;
};

/** Creates CometBFT's folder with this validator's keys where there is none yet, and says what others must know of it. */
export async function createHome(binary: string, home: string, name: string): Promise<ValidatorCard> {
  if (!existsSync(join(home, 'config', 'priv_validator_key.json')))
    await run(binary, ['init', '--home', home], { timeout: COMMAND_TIMEOUT_MS });
  const key = JSON.parse(readFileSync(join(home, 'config', 'priv_validator_key.json'), 'utf8'));
  const { stdout } = await run(binary, ['show-node-id', '--home', home], { timeout: COMMAND_TIMEOUT_MS });
  return { name, publicKey: key.pub_key.value, nodeId: stdout.trim() };
}

/** CometBFT's genesis file: the same bytes at every organisation that has the same genesis. */
export function consensusGenesis(genesis: Genesis): string {
  if (genesis.validators.length === 0)
    throw new AppError(
      'wrong-genesis',
      'The genesis names no validators, so its ledger is one of an operator. Open it without CometBFT.',
    );
  const document = {
    genesis_time: new Date(genesis.timeMs).toISOString(),
    chain_id: consensusChainName(genesis),
    initial_height: '1',
    consensus_params: {
      block: { max_bytes: String(MAX_REAPED_BYTES), max_gas: '-1' },
      evidence: { max_age_num_blocks: '100000', max_age_duration: '172800000000000', max_bytes: '1048576' },
      validator: { pub_key_types: ['ed25519'] },
      version: { app: '1' },
      abci: { vote_extensions_enable_height: '0' },
    },
    validators: genesis.validators.map(({ consensusKey, organisation, power }) => ({
      pub_key: { type: 'tendermint/PubKeyEd25519', value: toBase64(consensusKey) },
      power: String(power),
      name: `organisation-${organisation}`,
    })),
    app_hash: '',
    app_state: appStateOf(genesis),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Writes the genesis file and the settings that this software depends on into CometBFT's folder. */
export function configureHome(home: string, genesisFile: string, settings: HomeSettings): void {
  writeFileSync(join(home, 'config', 'genesis.json'), genesisFile);
  const path = join(home, 'config', 'config.toml');
  writeFileSync(path, withSettings(readFileSync(path, 'utf8'), settingsOf(settings)));
}

function settingsOf(settings: HomeSettings): Record<string, string> {
  const { name, proxyApp, rpcPort, p2pHost, p2pPort, peers, isLocal } = settings;
  return {
    proxy_app: text(proxyApp),
    moniker: text(name),
    'rpc.laddr': text(`tcp://127.0.0.1:${rpcPort}`),
    'rpc.max_request_batch_size': String(MAX_BATCH_REQUESTS),
    'rpc.max_body_bytes': String(MAX_BATCH_BYTES * 2),
    'p2p.laddr': text(`tcp://${p2pHost}:${p2pPort}`),
    'p2p.persistent_peers': text(peers.join(',')),
    // Strangers may take all places for those who connect; members are let in beyond them.
    'p2p.unconditional_peer_ids': text(peers.map(idOfPeer).join(',')),
    'p2p.addr_book_strict': String(!isLocal),
    'p2p.allow_duplicate_ip': String(isLocal),
    'p2p.pex': String(!isLocal),
    // CometBFT's own limit, five megabytes a second, would make a snapshot of a hundred take as many as twenty.
    'p2p.send_rate': String(MAX_PEER_BYTES_A_SECOND),
    'p2p.recv_rate': String(MAX_PEER_BYTES_A_SECOND),
    'p2p.flush_throttle_timeout': text('10ms'),
    'mempool.size': String(MAX_MEMPOOL_TRANSACTIONS),
    'mempool.max_txs_bytes': String(MAX_MEMPOOL_BYTES),
    'mempool.max_tx_bytes': String(MAX_TRANSACTION_BYTES),
    'mempool.cache_size': '50000',
    // An idle chain rests; after a block with transactions one more block carries the proof of what it led to.
    'consensus.create_empty_blocks': 'false',
    'consensus.timeout_propose': text('1s'),
    'consensus.timeout_prevote': text('500ms'),
    'consensus.timeout_precommit': text('500ms'),
    'consensus.timeout_commit': text('200ms'),
    'consensus.peer_gossip_sleep_duration': text('10ms'),
    // Transactions and their results are found through the ledger's own index.
    'tx_index.indexer': text('null'),
    'storage.discard_abci_responses': 'true',
    ...settings.extra,
  };
}

/** What stands before the `@`. */
function idOfPeer(peer: string): string {
  return peer.slice(0, peer.indexOf('@'));
}

function text(value: string): string {
  return JSON.stringify(value);
}

/** Sets values in a file of CometBFT's own making; a name that is not in it is an error of ours or another version's file. */
export function withSettings(toml: string, settings: Readonly<Record<string, string>>): string {
  const left = new Map(Object.entries(settings));
  let section = '';
  const lines = toml.split('\n').map((line) => {
    section = /^\[(\S+)\]$/.exec(line)?.[1] ?? section;
    const name = /^([A-Za-z0-9_-]+) = /.exec(line)?.[1];
    const full = section === '' ? name : `${section}.${name}`;
    const value = full === undefined ? undefined : left.get(full);
    if (name === undefined || full === undefined || value === undefined) return line;
    left.delete(full);
    return `${name} = ${value}`;
  });
  if (left.size === 0) return lines.join('\n');
  throw new AppError(
    'file-failed',
    `CometBFT's configuration has no ${[...left.keys()].join(', ')}. Is its version the one that is needed?`,
  );
}
