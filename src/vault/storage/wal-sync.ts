import { type FileHandle, open } from 'node:fs/promises';
import type { AppError } from '../../shared/index.ts';
import { fileError } from '../keys/replace-file.ts';

/** Flushes the write-ahead log of a database beside the event loop, where SQLite itself would make everybody wait. */
export type WalSync = {
  /** Resolves when all that is committed is on the disk. After a failure nothing more may be trusted, so it keeps failing. */
  flush(): Promise<void>;
  /** The flush that is under way, if there is one. Rejects after a failure, like every flush. */
  settled(): Promise<void> | undefined;
  close(): Promise<void>;
};

/**
 * With `synchronous = NORMAL`, SQLite appends a commit to the log and does not flush it; this does, before anybody is told. The
 * log is the same file for as long as a connection is open. Checkpoints flush by themselves (sqlite.org/pragma.html#pragma_synchronous).
 */
export function createWalSync(path: string): WalSync {
  const logPath = `${path}-wal`;
  let log: FileHandle | undefined;
  let flushing: Promise<void> | undefined;
  let broken: AppError | undefined;
  const sync = async (): Promise<void> => {
    if (broken !== undefined) throw broken;
    try {
      log ??= await open(logPath, 'r+');
      await log.datasync();
    } catch (cause) {
      broken = fileError(logPath, cause);
      throw broken;
    }
  };
  return {
    flush: () => {
      const current = sync().finally(() => {
        if (flushing === current) flushing = undefined;
      });
      flushing = current;
      return current;
    },
    settled: () => (broken === undefined ? flushing : Promise.reject(broken)),
    close: async () => log?.close(),
  };
}
