import { parentPort, workerData } from 'node:worker_threads';
import { IndexDatabase } from './index-database.ts';

const database = new IndexDatabase(String(workerData));

/** Applies each batch and says whether it is in; `null` closes the database and ends the worker. */
parentPort?.on('message', (batch: Uint8Array | null) => {
  if (batch === null) {
    database.close();
    parentPort?.close();
    return;
  }
  parentPort?.postMessage(applied(batch));
});

function applied(batch: Uint8Array): boolean {
  try {
    database.apply(batch);
    return true;
  } catch {
    return false;
  }
}
