import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { type FileTrust, verifyFile, verifyForkFile } from '../../client/index.ts';
import { inspectBackup, witnessKey } from '../../node/index.ts';
import { AppError, equalBytes, fromHex, toHex } from '../../shared/index.ts';
import { connect } from '../connect.ts';
import { printable } from '../printable.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';
import { findingsText, verdictJson, verdictText } from '../verdict-text.ts';
import { addCompareCommand } from './compare.ts';
import { chainOption, readNetwork } from './network-names.ts';
import { collect, nodeOption } from './options.ts';
import { verifyPromises } from './promise.ts';
import { addWitnessCommand } from './witness.ts';

interface VerifyOptions {
  promise?: string;
  out?: string;
  node: string;
  chain?: string;
  network?: string;
  genesis?: string;
  witness: string[];
  quorum?: string;
}

/** `verify` and `witness`: what anybody can do to check a node. */
export function addLedgerCommands(program: Command, terminal: Terminal): void {
  program
    .command('verify')
    .description(
      'check a receipt, promise, checkpoint or proof of a fork offline, or every byte of a backup folder; says in words what it proves',
    )
    .argument('[file]', 'the proof, or the folder of a backup; none with --promise')
    .option(
      '--promise <file>',
      "ask the node what became of a promise to log: an answer's headers, or the header's value",
    )
    .option('--out <file>', 'with --promise: keep what shows it, for anybody to check offline')
    .addOption(nodeOption())
    .option('--chain <id>', 'the chain it must be of, 64 hexadecimal digits')
    .option(
      '--network <file>',
      'the network file of the consortium it must be of; its organisations are named',
    )
    .option('--genesis <file>', 'the genesis of the chain, for a bare checkpoint')
    .option('--witness <key>', 'key of a witness that you trust, as it prints it (repeat)', collect, [])
    .option('--quorum <number>', 'how many of them must have co-signed; all of them unless you say')
    .action((file: string | undefined, options: VerifyOptions) => verify(file, options, terminal));
  program
    .command('receipt')
    .description(
      'fetch the receipt of a transaction, verified, such as one that witnesses have co-signed since',
    )
    .argument('<transaction>', "the transaction's id, or a receipt of it that you have")
    .addOption(nodeOption())
    .option('--cosigned', 'under the head that most witnesses co-signed; it may be a little older')
    .option('--out <file>', 'where to save it; standard output unless you say')
    .action((transaction: string, options: ReceiptCommandOptions) =>
      fetchReceipt(transaction, options, terminal),
    );
  addCompareCommand(program, terminal);
  addWitnessCommand(program, terminal);
}

async function verify(file: string | undefined, options: VerifyOptions, terminal: Terminal): Promise<void> {
  if (options.promise !== undefined && file === undefined)
    return verifyPromises(options.promise, options, trustOf(options), terminal);
  if (file === undefined || options.promise !== undefined)
    throw new AppError('usage', 'Name the file of a proof, or a promise to log with --promise.');
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
    return verifyBackupFolder(file, options, terminal);
  const fork = await verifyForkFile(file, trustOf(options));
  if (fork !== undefined) return answerFork(fork, terminal);
  const verdict = await verifyFile(file, trustOf(options));
  terminal.answer(verdictJson(verdict), verdictText(verdict));
  if (!verdict.ok) throw new AppError('proof-refused', `The proof does not hold: ${verdict.code}.`);
}

function answerFork(fork: Awaited<ReturnType<typeof verifyForkFile>>, terminal: Terminal): void {
  if (fork?.ok !== true)
    throw new AppError('proof-refused', `The file proves no fork: ${fork?.error ?? 'it cannot be read'}.`);
  const { statements, notProven } = fork.value;
  terminal.answer(
    { ok: true, code: 'forked', statements, notProven },
    findingsText('THE CHAIN WAS FORKED.', fork.value),
  );
}

interface ReceiptCommandOptions {
  node: string;
  cosigned?: boolean;
  out?: string;
}

async function fetchReceipt(
  transaction: string,
  options: ReceiptCommandOptions,
  terminal: Terminal,
): Promise<void> {
  refuseExisting(options.out);
  const { id, chainId } = await transactionOf(transaction);
  const client = connect(options.node, chainId);
  const { receipt, verdict } = await client.receipt(id, { cosigned: options.cosigned === true });
  if (options.out === undefined) return terminal.answer(JSON.parse(receipt), receipt);
  writeNew(options.out, receipt);
  terminal.answer({ ...verdictJson(verdict), out: options.out }, verdictText(verdict));
}

/** From an id, or from a receipt: then the chain must be the same as well. */
async function transactionOf(text: string): Promise<{ id: Uint8Array; chainId?: Uint8Array }> {
  const id = /^[0-9a-f]{64}$/.test(text) ? fromHex(text) : undefined;
  if (id !== undefined) return { id };
  const verdict = await verifyFile(text);
  if (verdict.ok && verdict.transactionId !== undefined)
    return { id: verdict.transactionId, chainId: verdict.checkpoint.chainId };
  throw new AppError('usage', 'Give the id of a transaction, 64 hexadecimal digits, or a receipt of one.');
}

function trustOf({ chain, network, genesis, witness, quorum }: VerifyOptions): FileTrust {
  const known = network === undefined ? undefined : readNetwork(network);
  const chainId = chainOption(chain) ?? known?.chainId;
  if (known !== undefined && chainId !== undefined && !equalBytes(chainId, known.chainId))
    throw new AppError('usage', '--chain and --network name different chains.');
  const witnesses = witness.map(witnessKey);
  return {
    witnesses,
    ...(known !== undefined && { organisationNames: known.organisationNames }),
    quorum: quorumOf(quorum, witnesses.length),
    ...(chainId !== undefined && { chainId }),
    ...(genesis !== undefined && { genesis: new Uint8Array(readFileSync(genesis)) }),
  };
}

function quorumOf(text: string | undefined, known: number): number {
  const quorum = text === undefined ? known : Number(text);
  if (Number.isInteger(quorum) && quorum >= 0 && quorum <= known && text !== '') return quorum;
  throw new AppError(
    'usage',
    `--quorum is a whole number up to the ${known} witnesses that --witness names.`,
  );
}

async function verifyBackupFolder(
  folder: string,
  { chain }: VerifyOptions,
  terminal: Terminal,
): Promise<void> {
  const wanted = chainOption(chain);
  const { findings, ...claimed } = await inspectBackup(folder);
  if (wanted !== undefined && claimed.chainId !== toHex(wanted))
    findings.unshift({ where: 'genesis.bin', what: 'It is not of the chain that --chain names.' });
  const lines = findings.map(({ where, what }) => printable(`  ${where}: ${what}`));
  terminal.answer(
    { ok: findings.length === 0, ...claimed, findings },
    findings.length === 0
      ? [
          'Every byte of the backup is as it was signed. Who rewrites all of one signs with their own key: compare with your node.',
          `  chain      ${claimed.chainId}`,
          `  signed by  ${claimed.signer}`,
        ].join('\n')
      : ['The backup is damaged:', ...lines].join('\n'),
  );
  if (findings.length > 0) throw new AppError('damaged', 'Use another backup.');
}
