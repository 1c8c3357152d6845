import { AppError, ERROR_TABLE } from '../shared/index.ts';

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

/** The terminal of this process. */
export function openTerminal(json: boolean): Terminal {
  let rewriting = false;
  const endProgress = (): void => {
    if (rewriting) process.stderr.write('\n');
    rewriting = false;
  };
  return {
    json,
    answer(value, text) {
      endProgress();
      process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
    },
    progress(text) {
      if (!process.stderr.isTTY) return void process.stderr.write(`${text}\n`);
      process.stderr.write(`\r\x1b[K${text}`);
      rewriting = true;
    },
    endProgress,
    warn(text) {
      endProgress();
      process.stderr.write(`${text}\n`);
    },
  };
}

/** Tells a failed command's reason and returns its exit code. */
export function reportFailure(terminal: Terminal, error: unknown): number {
  if (!(error instanceof AppError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    terminal.warn(`careledger failed unexpectedly. Please report this:\n${text}`);
    return 70;
  }
  const row = ERROR_TABLE[error.code];
  if (terminal.json)
    process.stdout.write(`${JSON.stringify({ error: error.code, message: error.message })}\n`);
  terminal.warn(`${error.message}  [${error.code}]`);
  return row.exitCode;
}

/** Columns of text, aligned; for lists that a person reads. */
export function table(rows: string[][]): string {
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
