import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parsePublicKey } from '../../../identity/index.ts';
import { type ContractTable, chainIdOf } from '../../../ledger/index.ts';
import { fromBase64 } from '../../../shared/index.ts';
import { type SampleChain, sampleBytes, sampleChain, sampleSigner } from '../../sample-chain.ts';
import { proxyAppOf } from '../abci/abci-server.ts';
import { type CometBftEngine, openCometBftEngine } from '../cometbft-engine.ts';
import { configureHome, consensusGenesis, createHome, type ValidatorCard } from '../cometbft-home.ts';
import { type CometBftProcess, runCometBft } from '../cometbft-process.ts';
import { findCometBft } from '../find-cometbft.ts';

/** One organisation of a network on this machine: its engine in this process, and its CometBFT. */
export type LocalValidator = {
  readonly engine: CometBftEngine;
  readonly consensus: CometBftProcess;
  readonly home: string;
  readonly rpcUrl: string;
};

export type LocalNetwork = {
  readonly chain: SampleChain;
  readonly validators: readonly LocalValidator[];
  close(): Promise<void>;
};

type NetworkOptions = {
  readonly folder: string;
  readonly size: number;
  /** Organisations that take part without a validator. */
  readonly withoutValidator?: readonly string[];
  readonly log?: (line: string) => void;
  /** The rules that its software knows; those of this version unless said otherwise. */
  readonly contracts?: ContractTable;
};

const START_PATIENCE_MS = 60_000;
const POLL_MS = 50;
const POWER = 10;

/** The binary, or why there is none; tests that need it are skipped with these words. */
export async function cometBftOrReason(): Promise<{ binary: string } | { reason: string }> {
  try {
    return { binary: await findCometBft({ log: (line) => process.stderr.write(`${line}\n`) }) };
  } catch (cause) {
    return { reason: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** The seed by which a validator's node signs its notes. */
export function nodeSeedOf(index: number): Uint8Array {
  return sampleBytes(1, `node ${index}`);
}

/** The sample chain, decided by these validators, each of another organisation, and by these more. The first one is the custodian's. */
export function sampleConsortium(
  cards: readonly Pick<ValidatorCard, 'name' | 'publicKey'>[],
  withoutValidator: readonly string[] = [],
): SampleChain {
  const chain = sampleChain();
  const names = [...cards.slice(1).map(({ name }) => name), ...withoutValidator];
  const others = names.map((name) => sampleSigner(1, name).publicKey);
  const validators = cards.map(({ publicKey }, organisation) => {
    const consensusKey = parsePublicKey(fromBase64(publicKey) ?? new Uint8Array());
    if (!consensusKey.ok) throw new Error('CometBFT gave a key that is none.');
    return { consensusKey: consensusKey.value, organisation, power: POWER };
  });
  const genesis = { ...chain.genesis, organisationKeys: [chain.custodian.publicKey, ...others], validators };
  return { ...chain, genesis, chainId: chainIdOf(genesis) };
}

/** Starts validators with real CometBFT processes and waits until each answers. */
export async function startLocalNetwork(binary: string, options: NetworkOptions): Promise<LocalNetwork> {
  const { folder, size, log = () => undefined } = options;
  const ports = await freePorts(size * 2);
  const homes = Array.from({ length: size }, (_, index) => join(folder, `org${index}`, 'cometbft'));
  for (const home of homes) mkdirSync(home, { recursive: true });
  const cards = await Promise.all(homes.map((home, index) => createHome(binary, home, `org${index}`)));
  const chain = sampleConsortium(cards, options.withoutValidator);
  const { genesis } = chain;
  const genesisFile = consensusGenesis(genesis);
  const validators: LocalValidator[] = [];
  for (const [index, home] of homes.entries()) {
    const rpcPort = ports[index] as number;
    const rpcUrl = `http://127.0.0.1:${rpcPort}`;
    const engine = await openCometBftEngine({
      folder: join(folder, `org${index}`, 'ledger'),
      genesis,
      nodeSeed: nodeSeedOf(index),
      rpcUrl,
      log,
      ...(options.contracts !== undefined && { contracts: options.contracts }),
    });
    const peers = cards.flatMap(({ nodeId }, other) =>
      other === index ? [] : [`${nodeId}@127.0.0.1:${ports[size + other]}`],
    );
    configureHome(home, genesisFile, {
      name: `org${index}`,
      proxyApp: proxyAppOf(engine.abci),
      rpcPort,
      p2pHost: '127.0.0.1',
      p2pPort: ports[size + index] as number,
      peers,
      isLocal: true,
    });
    validators.push({
      engine,
      consensus: runCometBft(binary, home, log, engine.consensusHeight),
      home,
      rpcUrl,
    });
  }
  const close = async (): Promise<void> => {
    await Promise.all(validators.map(({ consensus }) => consensus.stop()));
    await Promise.all(validators.map(({ engine }) => engine.close()));
  };
  try {
    await Promise.all(validators.map((one) => untilReady(one, size - 1)));
  } catch (cause) {
    await close();
    throw cause;
  }
  return { chain, validators, close };
}

/** Waits until a condition holds; the error names what was waited for. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  patienceMs: number = START_PATIENCE_MS,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited ${patienceMs} ms for ${what} in vain.`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function untilReady({ rpcUrl }: LocalValidator, peers: number): Promise<void> {
  await until(`CometBFT at ${rpcUrl} with ${peers} peers`, async () => {
    try {
      const response = await fetch(`${rpcUrl}/net_info`);
      const answer = (await response.json()) as { result?: { n_peers?: string } };
      return Number(answer.result?.n_peers) === peers;
    } catch {
      return false;
    }
  });
}

/** Ports that nothing listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
