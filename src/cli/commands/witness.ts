import type { Command } from 'commander';
import { createNodeClient } from '../../client/index.ts';
import { publicKeyOf } from '../../identity/index.ts';
import {
  checkpointOrigin,
  decodeGenesis,
  formatVerifierKey,
  isKeyName,
  operatorVerifierKey,
} from '../../ledger/index.ts';
import { createWitness, openWitnessFolder, startWitnessServer, type WatchedLog } from '../../node/index.ts';
import { AppError } from '../../shared/index.ts';
import type { Terminal } from '../terminal.ts';
import { collect, portOf } from './options.ts';

interface WitnessCommandOptions {
  state: string;
  name: string;
  node: string[];
  host: string;
  port: string;
  printKey?: boolean;
}

/** `witness`: cosigns the heads of other operators' ledgers, and refuses one that goes back or forks. */
export function addWitnessCommand(program: Command, terminal: Terminal): void {
  program
    .command('witness')
    .description(
      'run a witness (C2SP tlog-witness) for the ledgers of the nodes named; run it at another organisation than theirs',
    )
    .option('--node <url>', 'a node whose ledger to watch (repeat)', collect, [])
    .option('--state <folder>', 'where the witness keeps its key and what it cosigned', './witness')
    .option('--name <name>', 'what it is called, such as witness.example/w1', 'witness.local/w1')
    .option('--print-key', 'print its key, which a node is started with, and end')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('-p, --port <number>', 'port to listen on', '8491')
    .action((options: WitnessCommandOptions) => runWitness(options, terminal));
}

async function runWitness(options: WitnessCommandOptions, terminal: Terminal): Promise<void> {
  if (options.node.length === 0 && options.printKey !== true)
    throw new AppError('usage', 'Name at least one node to watch: --node http://….');
  const { seed, stateFile } = openWitnessFolder(options.state);
  if (options.printKey === true) return printKey(options.name, seed, terminal);
  const logs = await Promise.all(options.node.map(watchedLog));
  const witness = createWitness({
    stateFile,
    seed,
    name: options.name,
    logs,
    now: Date.now,
    onMisbehaviour: () =>
      terminal.warn(
        'A log offered a head that contradicts one it signed before. Both are evidence; nothing was cosigned.',
      ),
  });
  const server = await startWitnessServer(witness, { host: options.host, port: portOf(options.port) });
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.resolve());
  const facts = {
    url: server.url,
    verifierKey: witness.verifierKey,
    watching: logs.map(({ origin }) => origin),
  };
  terminal.answer(
    facts,
    `Witness at ${server.url}\n  key       ${facts.verifierKey}\n  watching  ${facts.watching.join('\n            ')}`,
  );
  await stopped.promise;
  await server.close();
  witness.close();
}

/** So that a node can be told of a witness that is not running yet. */
function printKey(name: string, seed: Uint8Array, terminal: Terminal): void {
  if (!isKeyName(name))
    throw new AppError('usage', 'The name of a witness has neither spaces nor plus signs.');
  const verifierKey = formatVerifierKey({ name, kind: 'witness', publicKey: publicKeyOf(seed) });
  terminal.answer({ verifierKey }, verifierKey);
}

async function watchedLog(nodeUrl: string): Promise<WatchedLog> {
  const { bytes, chainId } = await createNodeClient({ baseUrl: nodeUrl }).genesis();
  const genesis = decodeGenesis(bytes);
  if (!genesis.ok) throw new AppError('proof-refused', 'The node gave a genesis that is not valid.');
  return {
    origin: checkpointOrigin(chainId),
    keys: [operatorVerifierKey(chainId, genesis.value.operatorKey)],
  };
}
