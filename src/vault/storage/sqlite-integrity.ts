import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type SqliteFailure, sqliteError } from './sqlite-error.ts';

/** What the thread that checks tells when it is done. */
export type IntegrityAnswer = { readonly lines: readonly string[] } | { readonly failure: SqliteFailure };

/** SQLite's own check of a whole database, in a thread of its own: it takes minutes where there is much. One line a fault. */
export async function checkIntegrity(path: string): Promise<string[]> {
  const worker = new Worker(new URL('./sqlite-integrity-worker.ts', import.meta.url), { workerData: path });
  const [answer] = (await once(worker, 'message')) as [IntegrityAnswer];
  if ('failure' in answer) return [sqliteError(path, answer.failure).message];
  return answer.lines.filter((line) => line !== 'ok');
}
