import { writeSync } from 'node:fs';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
type LogField = string | number | boolean | undefined;

const LEVELS: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
const FLUSH_AT_CHARS = 64 * 1024;
const FLUSH_EVERY_MS = 100;

/** Writes JSON lines. Fields are codes, counts and times: never a URL, an id, a name or an error's cause. */
export interface Log {
  write(level: Exclude<LogLevel, 'silent'>, event: string, fields?: Record<string, LogField>): void;
  flush(): void;
}

/** A log to a file descriptor, in batches: one write call for many requests. */
export function openLog(options: {
  level: LogLevel;
  sink?: (text: string) => void;
  nowMs: () => number;
}): Log {
  const sink = options.sink ?? writeToStderr;
  const least = LEVELS[options.level];
  let pending = '';
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (pending === '') return;
    const text = pending;
    pending = '';
    sink(text);
  };
  return {
    write(level, event, fields = {}) {
      if (LEVELS[level] < least) return;
      pending += `${JSON.stringify({ time: new Date(options.nowMs()).toISOString(), level, event, ...fields })}\n`;
      if (LEVELS[level] >= LEVELS.warn || pending.length > FLUSH_AT_CHARS) return flush();
      timer ??= setTimeout(flush, FLUSH_EVERY_MS).unref();
    },
    flush,
  };
}

function writeToStderr(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // A full or closed pipe must not stop the node; the access log, not this one, is the record.
  }
}
