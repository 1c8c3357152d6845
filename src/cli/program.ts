import { Command, type Option } from 'commander';
import { addAdministration } from './commands/administration.ts';
import { addGovernCommand } from './commands/govern.ts';
import { addLedgerCommands } from './commands/ledger.ts';
import { addNetworkCommand } from './commands/network.ts';
import { addNodeCommands } from './commands/node.ts';
import { addPatientCommands } from './commands/patient.ts';
import { addReadingCommands } from './commands/reading.ts';
import { completionScript } from './completion.ts';
import type { Terminal } from './terminal.ts';

const AFTER_HELP = `
Examples:
  careledger start                                   run a node on ./data
  careledger network                                 try a consortium of four on this machine
  careledger keys enrol-code Patient/ana             a one-time code for a patient's wallet
  careledger wallet enrol --code-file ana.code       bind the wallet to that patient
  careledger consent grant --to KEY --purpose TREAT  let somebody read
  careledger govern list                             what members vote on
  careledger log                                     who read my record
  careledger verify receipt.json                     check a proof, offline

Secrets never go on the command line: they come from files, the environment or a prompt.
Exit codes: 0 done, 2 bad input, 3 refused, 4 not found, 5 damage found or proof refused, 6 try again,
7 put something on this machine right first, 1 our fault.`;

/** The whole command line; each group of commands is added by its own file. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('careledger')
    .description(
      'Run and use a CareLedger node: patient-held consent over FHIR records, with proof of everything.',
    )
    .version('0.1.0', '--version')
    .option('--json', 'answers as JSON on standard output')
    .addHelpText('after', AFTER_HELP)
    .showHelpAfterError('(careledger --help tells more)')
    .exitOverride();
  addNodeCommands(program, terminal);
  addNetworkCommand(program, terminal);
  addGovernCommand(program, terminal);
  addAdministration(program, terminal);
  addPatientCommands(program, terminal);
  addReadingCommands(program, terminal);
  addLedgerCommands(program, terminal);
  addCompletion(program);
  inherit(program);
  return program;
}

function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print a completion script for your shell')
    .argument('<shell>', 'bash, zsh or fish')
    .action((shell: string) => void process.stdout.write(completionScript(program, shell)));
}

/** Every command throws instead of exiting, and takes `--json` wherever it stands. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride();
    if (!child.options.some((option: Option) => option.long === '--json') && child.commands.length === 0) {
      child.option('--json', 'answer as JSON');
    }
    inherit(child);
  }
}
