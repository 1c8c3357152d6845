import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { type FileTrust, type ProofVerdict, verifyFile } from '../../client/index.ts';
import { backupFindings } from '../../node/index.ts';
import { AppError, fromHex } from '../../shared/index.ts';
import type { Terminal } from '../terminal.ts';
import { addWitnessCommand } from './witness.ts';

interface VerifyOptions {
  chain?: string;
  genesis?: string;
}

/** `verify` and `witness`: what anybody can do to check a node. */
export function addLedgerCommands(program: Command, terminal: Terminal): void {
  program
    .command('verify')
    .description(
      'check a receipt, promise or checkpoint offline, or every byte of a backup folder; says in words what it proves',
    )
    .argument('<file>', 'the proof, or the folder of a backup')
    .option('--chain <id>', 'the chain it must be of, 64 hexadecimal digits')
    .option('--genesis <file>', 'the genesis of the chain, for a bare checkpoint')
    .action((file: string, options: VerifyOptions) => verify(file, options, terminal));
  addWitnessCommand(program, terminal);
}

async function verify(file: string, options: VerifyOptions, terminal: Terminal): Promise<void> {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
    return verifyBackupFolder(file, terminal);
  const verdict = await verifyFile(file, trustOf(options));
  terminal.answer(toJson(verdict), verdictText(verdict));
  if (!verdict.ok) throw new AppError('proof-refused', `The proof does not hold: ${verdict.code}.`);
}

function trustOf({ chain, genesis }: VerifyOptions): FileTrust {
  const chainId = chain === undefined ? undefined : fromHex(chain);
  if (chain !== undefined && chainId?.length !== 32)
    throw new AppError('usage', '--chain takes 64 hexadecimal digits.');
  return {
    ...(chainId !== undefined && { chainId }),
    ...(genesis !== undefined && { genesis: new Uint8Array(readFileSync(genesis)) }),
  };
}

function verdictText({ ok, statements, notProven }: ProofVerdict): string {
  const proven = statements.map((line) => `  + ${line}`);
  const open = notProven.map((line) => `  - ${line}`);
  const heading = ok ? 'The proof holds.' : 'THE PROOF DOES NOT HOLD.';
  return [
    heading,
    ...(proven.length > 0 ? ['', 'Proven:', ...proven] : []),
    ...(open.length > 0 ? ['', 'Not proven:', ...open] : []),
  ].join('\n');
}

function toJson({ ok, code, statements, notProven }: ProofVerdict): unknown {
  return { ok, code, statements, notProven };
}

async function verifyBackupFolder(folder: string, terminal: Terminal): Promise<void> {
  const findings = await backupFindings(folder);
  const lines = findings.map(({ where, what }) => `  ${where}: ${what}`);
  terminal.answer(
    { ok: findings.length === 0, findings },
    findings.length === 0
      ? 'Every byte of the backup is as it was written.'
      : ['The backup is damaged:', ...lines].join('\n'),
  );
  if (findings.length > 0) throw new AppError('damaged', 'Use another backup.');
}
