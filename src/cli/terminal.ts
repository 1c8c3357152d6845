import { AppError, ERROR_TABLE } from '../shared/index.ts';
import { fileError } from './file-error.ts';
import { printable, printableLines } from './printable.ts';

/** Where a command's answer, its progress and its errors go. Answers on standard output, the rest on standard error. */
export interface Terminal {
  json: boolean;
  /** The command's answer: `value` with `--json`, else `text`. */
  answer(value: unknown, text: string): void;
  /** What a person may want to see while it lasts; never part of the answer. */
  progress(text: string): void;
  /** Ends the line that `progress` keeps rewriting. */
  endProgress(): void;
  warn(text: string): void;
}

/** A stream that a terminal writes to. */
export type Output = { write(text: string): unknown; readonly isTTY?: boolean };

/** The terminal of this process, or of the streams given. No text gets there with a control character but the end of a line. */
export function openTerminal(
  json: boolean,
  stdout: Output = process.stdout,
  stderr: Output = process.stderr,
): Terminal {
  let rewriting = false;
  const endProgress = (): void => {
    if (rewriting) stderr.write('\n');
    rewriting = false;
  };
  return {
    json,
    answer(value, text) {
      endProgress();
      stdout.write(`${json ? printable(JSON.stringify(value)) : printableLines(text)}\n`);
    },
    progress(text) {
      if (stderr.isTTY !== true) return void stderr.write(`${printableLines(text)}\n`);
      stderr.write(`\r\x1b[K${printable(text)}`);
      rewriting = true;
    },
    endProgress,
    warn(text) {
      endProgress();
      stderr.write(`${printableLines(text)}\n`);
    },
  };
}

/** Tells a failed command's reason and returns its exit code. */
export function reportFailure(terminal: Terminal, failure: unknown): number {
  const error = failure instanceof AppError ? failure : fileError(failure);
  if (error === undefined) {
    const text = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
    terminal.warn(`careledger failed unexpectedly. Please report this:\n${text}`);
    return ERROR_TABLE.internal.exitCode;
  }
  if (terminal.json) terminal.answer({ error: error.code, message: error.message }, '');
  terminal.warn(`${printable(error.message)}  [${error.code}]`);
  return ERROR_TABLE[error.code].exitCode;
}

/** Columns of text, aligned; for lists that a person reads. */
export function table(cells: string[][]): string {
  const rows = cells.map((row) => row.map(printable));
  const widths = rows.reduce<number[]>(
    (all, row) => row.map((cell, at) => Math.max(all[at] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
    )
    .join('\n');
}
