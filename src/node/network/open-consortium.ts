import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CometBftEngine,
  findCometBft,
  openCometBftEngine,
  proxyAppOf,
  runCometBft,
} from '../../engine/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import { AppError } from '../../shared/index.ts';
import type { OpenedFolder } from '../folder/init-folder.ts';
import type { DataFolder } from '../folder/layout.ts';
import { abciAddress, readSettings } from './network-settings.ts';

const RPC_TIMEOUT_MS = 3000;

/** The ledger of a consortium as this node takes part in it: its engine, and the CometBFT that drives it. */
export type Consortium = CometBftEngine & {
  /** Who votes, who is connected and how far this node is, as its CometBFT says. Throws `unavailable` when it does not answer. */
  consensusStatus(): Promise<ConsensusStatus>;
  readonly rpcUrl: string;
  /** Resolves with the reason when this node can take part in no further block until another version of it runs. */
  readonly halted: Promise<AppError>;
};

export interface ConsensusStatus {
  height: number;
  timeMs: number;
  /** Whether it is still fetching blocks that the others have. */
  isCatchingUp: boolean;
  peers: number;
}

/** Opens this node's copy of the ledger and starts its CometBFT; closing stops both. */
export async function openConsortium(
  { folder, genesis, keys }: OpenedFolder,
  retainBlocks: number | undefined,
  log: (line: string) => void,
): Promise<Consortium> {
  refuseWithoutConsensus(folder);
  const binary = await findCometBft({ log });
  const settings = readSettings(folder);
  const abci = abciAddress(folder, settings);
  const rpcUrl = `http://127.0.0.1:${settings.rpcPort}`;
  const halted = Promise.withResolvers<AppError>();
  const engine = await openCometBftEngine({
    folder: folder.ledger,
    genesis,
    nodeSeed: keys.operatorSeed,
    ownAccount: accountIdOf(publicKeyOf(keys.custodianSeed)),
    rpcUrl,
    abci,
    log,
    onUpgradeNeeded: halted.resolve,
    ...(retainBlocks !== undefined && { retainBlocks }),
  });
  const consensus = runCometBft(binary, folder.consensus, log, engine.consensusHeight, proxyAppOf(abci));
  let closing: Promise<void> | undefined;
  return {
    ...engine,
    rpcUrl,
    halted: halted.promise,
    consensusStatus: () => consensusStatus(rpcUrl),
    close: () => {
      closing ??= consensus.stop().then(() => engine.close());
      return closing;
    },
  };
}

/** A backup has neither the keys of the consensus engine nor how far they signed: an old copy of them would sign twice. */
function refuseWithoutConsensus({ consensus }: DataFolder): void {
  const needed = [join('config', 'config.toml'), join('data', 'priv_validator_state.json')];
  const missing = needed.map((name) => join(consensus, name)).find((path) => !existsSync(path));
  if (missing === undefined) return;
  throw new AppError(
    'damaged',
    `${missing} is missing. A restored member needs the folder of its consensus engine from the machine that was lost, with the newest priv_validator_state.json, or one with new keys: see "A member whose machine is lost" in docs/operations.md.`,
  );
}

async function consensusStatus(rpcUrl: string): Promise<ConsensusStatus> {
  const [status, net] = await Promise.all([ask(rpcUrl, 'status'), ask(rpcUrl, 'net_info')]);
  const sync = (status.sync_info ?? {}) as Record<string, unknown>;
  return {
    height: Number(sync.latest_block_height),
    timeMs: Date.parse(String(sync.latest_block_time)),
    isCatchingUp: sync.catching_up === true,
    peers: Number(net.n_peers),
  };
}

async function ask(rpcUrl: string, method: string): Promise<Record<string, unknown>> {
  try {
    const reply = await fetch(`${rpcUrl}/${method}`, { signal: AbortSignal.timeout(RPC_TIMEOUT_MS) });
    const { result } = (await reply.json()) as { result?: Record<string, unknown> };
    if (result !== undefined) return result;
  } catch (cause) {
    throw unavailable(cause);
  }
  throw unavailable(undefined);
}

function unavailable(cause: unknown): AppError {
  return new AppError(
    'unavailable',
    'The consensus engine of this node does not answer. It may be starting: ask again in a moment.',
    { cause },
  );
}
