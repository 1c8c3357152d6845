import { CommanderError } from 'commander';
import { createProgram } from './program.ts';
import { openTerminal, reportFailure } from './terminal.ts';

// A reader that has seen enough (`| head -1`) ends no command and is no error: what it does not want is dropped.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const terminal = openTerminal(process.argv.includes('--json'));
try {
  await createProgram(terminal).parseAsync(process.argv);
} catch (error) {
  // Commander has already told what is wrong with the command line.
  process.exitCode =
    error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportFailure(terminal, error);
}
