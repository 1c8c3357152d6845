import { AppError } from '../../shared/index.ts';
import type { SqlReader } from './sql-store.ts';
import { checkIntegrity } from './sqlite-integrity.ts';
import { openReader, readingSession } from './sqlite-reader.ts';

/** Those who read an older moment of a database. While they do, its pages stay in the log. */
export type OlderReaders = {
  snapshot<T>(work: (session: SqlReader) => Promise<T>): Promise<T>;
  /** SQLite's own check of the whole database. */
  check(): Promise<string[]>;
  /** Ends all there are, and lets the next begin after the work. Writers do not wait for their end. */
  endedFor(work: () => Promise<void>): Promise<void>;
};

export function createOlderReaders(path: string): OlderReaders {
  const snapshots = new Set<Snapshot>();
  const checks = new Set<Promise<unknown>>();
  let without: Promise<unknown> = Promise.resolve();
  /** Work without readers may begin while other such work is waited for: it would not know of one that begins after that. */
  const untilAllowed = async (): Promise<void> => {
    for (let awaited: unknown; awaited !== without; ) {
      awaited = without;
      await awaited;
    }
  };
  return {
    async snapshot(work) {
      await untilAllowed();
      const snapshot = openSnapshot(path);
      snapshots.add(snapshot);
      return work(snapshot.session).finally(() => {
        snapshots.delete(snapshot);
        snapshot.end();
      });
    },
    async check() {
      await untilAllowed();
      const checking = checkIntegrity(path);
      checks.add(checking);
      return checking.finally(() => checks.delete(checking));
    },
    endedFor(work) {
      for (const snapshot of snapshots) snapshot.end();
      const done = Promise.allSettled(checks).then(work);
      without = done.catch(() => undefined);
      return done;
    },
  };
}

/** A connection that sees one moment of the database, until it is ended. */
type Snapshot = { readonly session: SqlReader; end(): void };

function openSnapshot(path: string): Snapshot {
  const database = openReader(path);
  database.exec('BEGIN');
  const session = readingSession(database, path);
  return {
    session: {
      all: async (sql, parameters) => {
        if (!database.isOpen)
          throw new AppError(
            'conflict',
            'An erasure, or the end of this node, came while what the vault had before was read. Start again what read it.',
          );
        return session.all(sql, parameters);
      },
    },
    end: () => {
      if (database.isOpen) database.close();
    },
  };
}
