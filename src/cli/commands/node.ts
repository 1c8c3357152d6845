import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  DEFAULT_HOST,
  DEFAULT_ORGANISATION,
  DEFAULT_PORT,
  dataFolder,
  initFolder,
  isInitialised,
  type LogLevel,
  startNode,
  witnessAddresses,
} from '../../node/index.ts';
import { AppError } from '../../shared/index.ts';
import { adminClient } from '../admin-client.ts';
import { closeOnSignal } from '../signals.ts';
import { startedText } from '../started-text.ts';
import type { Terminal } from '../terminal.ts';
import { collect, dataOption, portOf, vaultOption } from './options.ts';

const WAIT_LIMIT_MS = 120_000;
const POLL_MS = 150;

export interface StartOptions {
  data: string;
  port: string;
  host: string;
  baseUrl?: string;
  trustedProxy: string[];
  vault?: string;
  name?: string;
  empty?: boolean;
  log?: LogLevel;
  labels?: string;
  breakGlass: boolean;
  retainBlocks?: string;
  acceptLoss?: boolean;
  witness: string[];
  witnessKey: string[];
}

/** `start`, `init`, `status`, `stop`: the life of a node. */
export function addNodeCommands(program: Command, terminal: Terminal): void {
  withServing(
    program
      .command('start')
      .description('run a node; the first start makes the data folder, keys and sample patients'),
  )
    .option('--name <organisation>', 'name of the organisation, on the first start', DEFAULT_ORGANISATION)
    .option('--empty', 'no sample patients and demo keys, on the first start')
    .action((options: StartOptions) => start(options, terminal));
  program
    .command('init')
    .description('make a data folder without starting a node')
    .addOption(dataOption())
    .addOption(vaultOption('postgres://… to keep the vault there'))
    .option('--name <organisation>', 'name of the organisation', DEFAULT_ORGANISATION)
    .option('--empty', 'no sample patients and demo keys')
    .action((options: StartOptions) => init(options, terminal));
  program
    .command('status')
    .description('tell how the node on this data folder is')
    .addOption(dataOption())
    .option('--wait', 'wait until it is ready, for at most two minutes')
    .action((options: { data: string; wait?: boolean }) => status(options, terminal));
  program
    .command('stop')
    .description('stop the node on this data folder and wait until it has')
    .addOption(dataOption())
    .action((options: { data: string }) => stop(options, terminal));
}

/** The options of whatever runs a node. */
export function withServing(command: Command): Command {
  return command
    .addOption(dataOption())
    .addOption(
      new Option('-p, --port <number>', 'port to listen on')
        .env('CARELEDGER_PORT')
        .default(String(DEFAULT_PORT)),
    )
    .option('--host <address>', 'address to listen on', DEFAULT_HOST)
    .option('--base-url <url>', 'what callers reach the node as, behind a proxy')
    .option(
      '--trusted-proxy <address>',
      'address or network of a proxy whose X-Forwarded-For is believed (repeat)',
      collect,
      [],
    )
    .addOption(vaultOption('postgres://… to keep the vault there'))
    .addOption(
      new Option('--labels <file>', 'more codes that make a record sensitive, as JSON').env(
        'CARELEDGER_LABELS',
      ),
    )
    .option(
      '--accept-loss',
      'after restoring a backup: go on without the end of the access log, which the ledger will say, and without the patients that are lost',
    )
    .option('--no-break-glass', 'open nothing to clinicians who state an emergency')
    .option('--witness <url>', "ask this witness to cosign the ledger's heads (repeat)", collect, [])
    .option('--witness-key <key>', 'key of each witness, as `careledger witness` prints it', collect, [])
    .addOption(
      new Option('--log <level>', 'what to log on standard error').choices([
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    );
}

/** Runs a node until it is stopped. */
export async function start(options: StartOptions, terminal: Terminal): Promise<void> {
  const isFirst = !isInitialised(options.data);
  const witnesses = witnessAddresses(options.witness, options.witnessKey);
  const node = await startNode({
    dataPath: options.data,
    port: portOf(options.port),
    host: options.host,
    trustedProxies: options.trustedProxy,
    withSamples: options.empty !== true,
    witnesses,
    breakGlass: options.breakGlass,
    acceptLoss: options.acceptLoss === true,
    ...(options.name !== undefined && { organisationName: options.name }),
    logLevel: options.log ?? (process.stderr.isTTY ? 'warn' : 'info'),
    onProgress: (text) => terminal.progress(text),
    ...(options.baseUrl !== undefined && { baseUrl: options.baseUrl }),
    ...(options.vault !== undefined && { vaultUrl: options.vault }),
    ...(options.retainBlocks !== undefined && { retainBlocks: Number(options.retainBlocks) }),
    ...(options.labels !== undefined && { labelFile: readLabels(options.labels) }),
    ...passphrase(),
  });
  closeOnSignal(() => void node.close());
  const { opened, custodian, chainId } = node.runtime;
  const facts = {
    url: node.url,
    data: opened.folder.root,
    custodian: custodian.accountHex,
    chainId: Buffer.from(chainId).toString('hex'),
  };
  if (isFirst && opened.passphrase.keptInFolder) {
    terminal.warn(
      `Warning: no CARELEDGER_PASSPHRASE was set, so one was made and lies in ${opened.folder.passphrase}, beside what it protects. Good enough to try things, not for patients.`,
    );
  }
  terminal.answer(
    facts,
    startedText({ ...facts, isFirst, withSamples: opened.description.withSamples, demo: opened.folder.demo }),
  );
  await node.closed;
}

function init(options: StartOptions, terminal: Terminal): void {
  const { folder } = initFolder({
    path: options.data,
    organisationName: options.name ?? DEFAULT_ORGANISATION,
    vault: options.vault?.startsWith('postgres') === true ? 'postgres' : 'sqlite',
    withSamples: options.empty !== true,
    passphrase: passphrase().passphrase,
    nowMs: Date.now(),
  });
  terminal.answer(
    { data: folder.root },
    `Made the data folder ${folder.root}. Start it with: careledger start --data ${options.data}`,
  );
}

function readLabels(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AppError('not-found', `The file of labels ${path} cannot be read.`, { cause });
  }
}

async function status(options: { data: string; wait?: boolean }, terminal: Terminal): Promise<void> {
  const { adminSocket } = dataFolder(options.data);
  const untilMs = Date.now() + (options.wait === true ? WAIT_LIMIT_MS : 0);
  for (;;) {
    try {
      const answer = await adminClient(adminSocket).call('GET', '/admin/status');
      if (answer.ready === true || Date.now() >= untilMs) {
        const { organisation, baseUrl, ready, height, logSize } = answer;
        return terminal.answer(
          answer,
          `${organisation}: ${ready === true ? 'ready' : 'not ready'} at ${baseUrl}, height ${height}, ${logSize} transactions.`,
        );
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'node-not-running' || Date.now() >= untilMs)
        throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function stop(options: { data: string }, terminal: Terminal): Promise<void> {
  const client = adminClient(dataFolder(options.data).adminSocket);
  await client.call('POST', '/admin/stop');
  const untilMs = Date.now() + WAIT_LIMIT_MS;
  while (Date.now() < untilMs) {
    const isGone = await client.call('GET', '/admin/status').then(
      () => false,
      (error: unknown) => error instanceof AppError && error.code === 'node-not-running',
    );
    if (isGone) return terminal.answer({ stopped: true }, 'Stopped.');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new AppError('timeout', 'The node has not stopped within two minutes.');
}

/** The passphrase of the data folder's keys, from the environment. */
export function passphrase(): { passphrase: string } | { passphrase?: never } {
  const text = process.env.CARELEDGER_PASSPHRASE;
  return text === undefined || text === '' ? {} : { passphrase: text };
}
