import { type FileHandle, open } from 'node:fs/promises';
import type { AppError } from '../../shared/index.ts';
import { fileError } from '../keys/replace-file.ts';

/** Flushes the write-ahead log of a database beside the event loop, where SQLite itself would make everybody wait. */
export type WalSync = {
  /**
   * Commits, and resolves when all that is committed is on the disk. After a failure nothing more may be trusted, so it keeps
   * failing.
   */
  flush(commit: () => Promise<void>): Promise<void>;
  /** The commit and flush that are under way, if any. Rejects after a failed flush, like every one after it. */
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
  const sync = async (commit: () => Promise<void>): Promise<void> => {
    if (broken !== undefined) throw broken;
    await commit();
    try {
      log ??= await open(logPath, 'r+');
      await log.datasync();
    } catch (cause) {
      broken = fileError(logPath, cause);
      throw broken;
    }
  };
  return {
    flush: (commit) => {
      const current = sync(commit);
      // A commit that failed concerns nobody who reads; a flush that failed concerns everybody.
      const heard = current
        .catch(() => {
          if (broken !== undefined) throw broken;
        })
        .finally(() => {
          if (flushing === heard) flushing = undefined;
        });
      heard.catch(() => undefined);
      flushing = heard;
      return current;
    },
    settled: () => (broken === undefined ? flushing : Promise.reject(broken)),
    close: async () => log?.close(),
  };
}
