import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { equalBytes } from '../shared/index.ts';
import type { ReachedState } from './audit.ts';
import { damage, type Finding, note } from './finding.ts';
import { INDEX_FILE, IndexDatabase } from './index-database.ts';

/**
 * Compares the derived index with the state that the log gives. It is compared only where it stands at the log's end, as it
 * does after a node has stopped; a start believes nothing of it before its root has matched, so the log alone is the truth.
 */
export function* indexFindings(folder: string, reached: ReachedState): Generator<Finding> {
  const path = join(folder, INDEX_FILE);
  if (!existsSync(path)) return;
  try {
    yield* compareIndex(new IndexDatabase(unchanging(path), true), reached);
  } catch {
    yield damage(
      'index-differs',
      INDEX_FILE,
      `${INDEX_FILE} cannot be read. The next start builds it anew from the log.`,
    );
  }
}

/** Opening even to read leaves files beside a database in WAL mode, unless it is said that nobody writes to it. */
function unchanging(path: string): string {
  return existsSync(`${path}-wal`) ? path : `${pathToFileURL(path).href}?immutable=1`;
}

function* compareIndex(database: IndexDatabase, reached: ReachedState): Generator<Finding> {
  try {
    const mark = database.mark();
    if (mark?.height !== reached.height || !equalBytes(mark.frameHash, reached.frameHash)) {
      yield note(
        'index-differs',
        INDEX_FILE,
        `${INDEX_FILE} is at another height than the log; it was not compared.`,
      );
      return;
    }
    if (!database.isIntact()) throw new Error('the database is not intact');
    let count = 0;
    for (const [key, value] of database.entries()) {
      const expected = reached.values.get(key);
      if (expected === undefined || !equalBytes(expected, value)) {
        yield damage(
          'index-differs',
          INDEX_FILE,
          `${INDEX_FILE} has another value than the log for a key. Remove it; the next start builds it anew.`,
        );
        return;
      }
      count += 1;
    }
    const keys = Array.from(reached.state.tree.keys()).length;
    if (count !== keys)
      yield damage(
        'index-differs',
        INDEX_FILE,
        `${INDEX_FILE} has ${count} keys, not ${keys}. Remove it; the next start builds it anew.`,
      );
  } finally {
    database.close();
  }
}
