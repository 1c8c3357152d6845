import { CommanderError } from 'commander';
import { createProgram } from './program.ts';
import { openTerminal, reportFailure } from './terminal.ts';

const terminal = openTerminal(process.argv.includes('--json'));
try {
  await createProgram(terminal).parseAsync(process.argv);
} catch (error) {
  // Commander has already told what is wrong with the command line.
  process.exitCode =
    error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportFailure(terminal, error);
}
