import { join } from 'node:path';
import type { Command } from 'commander';
import {
  createLightClient,
  createNodeClient,
  type ForkFound,
  formatForkEvidence,
  type LightHead,
  nodeSourceAt,
  openTrustedHeads,
} from '../../client/index.ts';
import { chainIdOf, decodeGenesis, type Genesis, isConsortium } from '../../ledger/index.ts';
import { AppError, fromHex, toHex } from '../../shared/index.ts';
import { homeFolder, makeFolderOf } from '../home.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';
import { chainOption, readNetwork } from './network-names.ts';
import { collect } from './options.ts';

interface CompareOptions {
  node: string[];
  chain?: string;
  network?: string;
  anchor?: string;
  out?: string;
}

/** `compare`: a light client over several nodes of a consortium. */
export function addCompareCommand(program: Command, terminal: Terminal): void {
  program
    .command('compare')
    .description(
      'verify the newest block of a consortium by its validators, with several nodes: says which node lies, and who signed twice',
    )
    .option('--node <url>', 'a node to ask (repeat); the first that does not lie is followed', collect, [])
    .option('--chain <id>', 'the chain it must be of, 64 hexadecimal digits')
    .option('--network <file>', 'the network file of the consortium, instead of the chain')
    .option('--anchor <height:hash>', 'a recent block from somebody you trust, where the genesis is too old')
    .option('--out <file>', 'where to keep the proof of a fork, for anybody to check with `verify`')
    .action((options: CompareOptions) => compare(options, terminal));
}

async function compare(options: CompareOptions, terminal: Terminal): Promise<void> {
  const { node: urls, anchor, out } = options;
  if (urls.length === 0)
    throw new AppError('usage', 'Name at least one node: --node http://…. Two or more can be compared.');
  refuseExisting(out);
  const genesis = await genesisOf(options);
  const file = join(homeFolder(), 'light-heads.json');
  makeFolderOf(file);
  const client = createLightClient({
    genesis,
    sources: urls.map((url) => nodeSourceAt(url)),
    heads: openTrustedHeads(file),
    now: Date.now,
    ...(anchor === undefined ? {} : { anchor: anchorOf(anchor) }),
  });
  const head = await client.verify().catch((error: unknown) => {
    if (out !== undefined && isFork(error)) keepEvidence(out, genesis, error.cause as ForkFound, terminal);
    throw error;
  });
  terminal.answer(headJson(genesis, head), headText(genesis, head));
  const [liar] = head.liars;
  if (liar !== undefined)
    throw new AppError(
      'proof-refused',
      `${liar.source} lied about block ${liar.height} (${liar.reason}). Do not rely on it.`,
    );
}

function keepEvidence(out: string, genesis: Genesis, found: ForkFound, terminal: Terminal): void {
  const evidence = formatForkEvidence(genesis, found);
  if (evidence !== undefined) writeNew(out, evidence);
  else
    terminal.warn(
      `Nothing was written to ${out}: no node showed the blocks that lead from the genesis to the fork. Ask a node that keeps them all, too.`,
    );
}

/** The genesis of the named chain, or of the first node's, which the answer then shows. */
async function genesisOf({ node, chain, network }: CompareOptions): Promise<Genesis> {
  const chainId = network === undefined ? chainOption(chain) : readNetwork(network).chainId;
  const trust = chainId === undefined ? {} : { trust: { chainId } };
  const { bytes } = await createNodeClient({ baseUrl: node[0] as string, ...trust }).genesis();
  const genesis = decodeGenesis(bytes);
  if (genesis.ok && isConsortium(genesis.value)) return genesis.value;
  throw new AppError(
    'usage',
    'One operator signs the heads of this ledger: there are no validators to compare nodes by. Use witnesses.',
  );
}

function anchorOf(text: string): { height: number; hash: Uint8Array } {
  const [, height, hash] = /^(\d{1,15}):([0-9a-fA-F]{64})$/.exec(text) ?? [];
  if (height === undefined || hash === undefined)
    throw new AppError(
      'usage',
      '--anchor takes a height, a colon and the 64 hexadecimal digits of the hash of that block.',
    );
  return { height: Number(height), hash: fromHex(hash.toLowerCase()) as Uint8Array };
}

function isFork(error: unknown): error is AppError {
  return (
    error instanceof AppError && error.code === 'forked-head' && 'blocks' in ((error.cause ?? {}) as object)
  );
}

function headJson(
  genesis: Genesis,
  { head, followed, agreeing, silent, liars }: LightHead,
): Record<string, unknown> {
  const { trusted, signed, block } = head;
  return {
    chainId: toHex(chainIdOf(genesis)),
    height: trusted.height,
    hash: toHex(block.commit.blockId.hash),
    appHash: toHex(block.header.appHash),
    power: signed.power,
    totalPower: signed.totalPower,
    followed,
    agreeing,
    silent,
    liars,
  };
}

function headText(genesis: Genesis, { head, followed, agreeing, silent, liars }: LightHead): string {
  const { trusted, signed, block } = head;
  const lines = [
    `Block ${trusted.height} of the consortium "${genesis.networkName}" (chain ${toHex(chainIdOf(genesis))}) holds.`,
    `  hash ${toHex(block.commit.blockId.hash)}`,
    `  signed by ${signed.signers.length} of ${trusted.validators.validators.length} validators, with ${signed.power} of ${signed.totalPower} votes`,
    `  followed: ${followed}`,
    `  the same at: ${agreeing.join(', ') || 'nobody else was asked'}`,
    ...silent.map((name) => `  no answer: ${name}`),
    ...liars.map(({ source, height, reason }) => `  LIED about block ${height}: ${source} (${reason})`),
  ];
  return lines.join('\n');
}
