import { readFileSync, writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  assembleNetwork,
  decodeCard,
  decodeNetwork,
  encodeNetwork,
  initMember,
  isMember,
  joinNetwork,
  networkFingerprint,
  SAFE_VALIDATORS,
} from '../../node/index.ts';
import { AppError } from '../../shared/index.ts';
import { runLocalNetwork } from '../local-network/run-local-network.ts';
import type { Terminal } from '../terminal.ts';
import { passphrase, type StartOptions, start, withServing } from './node.ts';
import { collect, dataOption, portOf } from './options.ts';

/** `network`: four organisations on this machine to try, and the ceremony by which organisations on real hosts begin one. */
export function addNetworkCommand(program: Command, terminal: Terminal): void {
  const network = program
    .command('network')
    .description('a consortium: four organisations on this machine to try, or your own on real hosts');
  network
    .command('try', { isDefault: true })
    .description('run four organisations on this machine, each with its own keys, vault and consensus engine')
    .option('--folder <path>', 'where the four keep their data', './network')
    .option('-p, --port <number>', 'port of the first; the others follow, ten apart', '8500')
    .option('--empty', 'no sample patients and demo keys, on the first start')
    .action((options: TryOptions) =>
      runLocalNetwork(
        { folder: options.folder, port: portOf(options.port), withSamples: options.empty !== true },
        terminal,
      ),
    );
  addCeremony(network, terminal);
  withServing(network.command('start').description("run this organisation's node, after `network join`"))
    .option('--retain-blocks <number>', 'blocks that its CometBFT keeps, 1000000 at least; all when absent')
    .action((options: StartOptions) => startMember(options, terminal));
}

/** `start` makes a hospital of its own of a folder that is empty, which nobody means who runs a member. */
function startMember(options: StartOptions, terminal: Terminal): Promise<void> {
  if (isMember(options.data)) return start(options, terminal);
  throw new AppError(
    'folder-not-initialised',
    `${options.data} belongs to no network. Run \`careledger network init\` and \`careledger network join\` first, or name its folder with --data.`,
  );
}

interface TryOptions {
  folder: string;
  port: string;
  empty?: boolean;
}

interface InitOptions {
  data: string;
  name: string;
  address: string;
  listen: string;
  rpcPort: string;
  abciPort: string;
}

interface JoinOptions {
  data: string;
  vault: 'sqlite' | 'postgres';
  samples?: boolean;
  later?: boolean;
  stateSync?: boolean;
  node: string[];
}

function addCeremony(network: Command, terminal: Terminal): void {
  network
    .command('init')
    .description("make this organisation's keys, and the card that goes to the others; no secret is in it")
    .addOption(dataOption())
    .requiredOption('--name <organisation>', 'name of the organisation')
    .requiredOption('--address <host:port>', 'where the others reach its consensus engine')
    .option('--listen <host:port>', 'where that listens', '0.0.0.0:26656')
    .option('--rpc-port <number>', "its RPC's port, on this machine only", '26657')
    .addOption(
      new Option(
        '--abci-port <number>',
        'port between it and the node, where no unix socket will do',
      ).default('26658'),
    )
    .action((options: InitOptions) => init(options, terminal));
  network
    .command('genesis')
    .description('put the cards of all organisations into the file that a network begins with')
    .argument('<cards...>', "every organisation's network-card.json")
    .requiredOption('--name <network>', 'name of the network')
    .requiredOption('--time <iso time>', 'when it begins, such as 2027-01-01T00:00:00Z')
    .option('--out <file>', 'the file to write', './network.json')
    .action((cards: string[], options: { name: string; time: string; out: string }) =>
      genesis(cards, options, terminal),
    );
  network
    .command('join')
    .description('settle that this folder belongs to the network of a file; then `careledger network start`')
    .argument('<network.json>', 'the file that all have')
    .addOption(dataOption())
    .addOption(
      new Option('--vault <kind>', 'where records are kept; the address is for `network start`')
        .choices(['sqlite', 'postgres'])
        .default('sqlite'),
    )
    .option('--samples', 'with sample patients and demo keys')
    .option('--later', 'the members admitted this organisation after the network had begun')
    .option(
      '--state-sync',
      'take the ledger over from a snapshot, not block by block; needs --node of two members or more',
    )
    .option('--node <url>', "a member's node, for --state-sync (repeat); none is believed alone", collect, [])
    .action((file: string, options: JoinOptions) => join(file, options, terminal));
}

async function init(options: InitOptions, terminal: Terminal): Promise<void> {
  const [listenHost, listenPort] = hostAndPort(options.listen);
  hostAndPort(options.address);
  const { folder, card } = await initMember({
    path: options.data,
    organisation: options.name,
    address: options.address,
    settings: {
      listenHost,
      listenPort,
      rpcPort: portOf(options.rpcPort),
      abciPort: portOf(options.abciPort),
      isLocal: false,
    },
    passphrase: passphrase().passphrase,
    log: (line) => terminal.progress(line),
  });
  terminal.answer(
    { card: folder.networkCard, data: folder.root, organisation: card.organisation },
    [
      `Made the keys of ${card.organisation} in ${folder.root}. They stay there.`,
      `Send ${folder.networkCard} to the others, and get theirs. Then, each of you, with the same name and time:`,
      '',
      '  careledger network genesis CARD… --name NAME --time TIME',
    ].join('\n'),
  );
}

function genesis(
  files: readonly string[],
  options: { name: string; time: string; out: string },
  terminal: Terminal,
): void {
  const timeMs = Date.parse(options.time);
  const file = assembleNetwork(
    options.name,
    timeMs,
    files.map((name) => decodeCard(readText(name))),
  );
  const fingerprint = networkFingerprint(file);
  writeFileSync(options.out, encodeNetwork(file), { flag: 'wx' });
  const few = file.cards.length < SAFE_VALIDATORS;
  if (few)
    terminal.warn(
      `With ${file.cards.length} organisations the network stops when one fails. From ${SAFE_VALIDATORS} on it goes on without any one of them.`,
    );
  const names = file.cards.map(({ organisation }) => organisation);
  terminal.answer(
    { out: options.out, fingerprint, organisations: names },
    [
      `Made ${options.out} for ${names.join(', ')}.`,
      `Its fingerprint is ${fingerprint}.`,
      'Read it to each other, by telephone and not in the mail that brought the cards: whoever has another one has another network.',
      'Then, each of you: careledger network join network.json',
    ].join('\n'),
  );
}

async function join(path: string, options: JoinOptions, terminal: Terminal): Promise<void> {
  const network = readText(path);
  const opened = await joinNetwork({
    path: options.data,
    network,
    isLater: options.later === true,
    ...stateSyncOption(options),
    withSamples: options.samples === true,
    vault: options.vault,
    passphrase: passphrase().passphrase,
    nowMs: Date.now(),
  });
  const file = decodeNetwork(network);
  const fingerprint = networkFingerprint(file);
  const { start } = opened;
  const begins =
    start === undefined
      ? []
      : [
          `It takes the ledger over from a snapshot, by block ${start.height} of the consensus engine, which ${start.members.join(' and ')} have alike and the validators prove from the genesis.`,
          'Start it today: the block is too old to begin with a week after it was made, and may be days old already.',
        ];
  terminal.answer(
    {
      data: opened.folder.root,
      network: file.networkName,
      fingerprint,
      ...(start !== undefined && { height: start.height, members: start.members }),
    },
    [
      `${opened.description.organisationName} belongs to "${file.networkName}" now, a network of ${file.cards.length} organisations.`,
      `Its fingerprint is ${fingerprint}: compare it with the others before you start.`,
      ...begins,
      `Then: careledger network start --data ${options.data}`,
    ].join('\n'),
  );
}

function stateSyncOption({ stateSync, node }: JoinOptions): { stateSyncFrom?: readonly string[] } {
  if (stateSync === true) return { stateSyncFrom: node };
  if (node.length === 0) return {};
  throw new AppError('usage', '--node says whom to ask for --state-sync: name both, or neither.');
}

function hostAndPort(text: string): [string, number] {
  const at = text.lastIndexOf(':');
  const port = portOf(text.slice(at + 1));
  if (at > 0 && port > 0) return [text.slice(0, at), port];
  throw new AppError('usage', `${text} is not an address: write host:port.`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AppError('not-found', `${path} cannot be read.`, { cause });
  }
}
