import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from './sqlite-error.ts';
import type { IntegrityAnswer } from './sqlite-integrity.ts';

parentPort?.postMessage(check(String(workerData)));

function check(path: string): IntegrityAnswer {
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    const rows = database.prepare('PRAGMA integrity_check').all();
    database.close();
    return { lines: rows.map((row) => String(row.integrity_check)) };
  } catch (cause) {
    return { failure: failureOf(cause) };
  }
}
