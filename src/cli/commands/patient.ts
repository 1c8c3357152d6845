import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { type AccessOptions, showAccesses } from './accesses.ts';
import { consentCommand } from './consent.ts';
import { nodeOption, walletOption } from './options.ts';
import { walletCommand } from './wallet.ts';

/** `wallet`, `consent` and `log`: what a patient does. */
export function addPatientCommands(program: Command, terminal: Terminal): void {
  program.addCommand(walletCommand(terminal));
  program.addCommand(consentCommand(terminal));
  program
    .command('log')
    .description(
      'who accessed my record, when, why and under which consent; shows that each entry is in the log',
    )
    .addOption(walletOption())
    .addOption(nodeOption())
    .option('--limit <number>', 'how many, newest first', '50')
    .option('--before <place>', 'only older ones than the entry in this place of the log')
    .option('--receipt <file>', 'save the proof of the newest anchored entry')
    .action((options: AccessOptions) => showAccesses(options, terminal));
}
