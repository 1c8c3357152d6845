import type { NodeClient } from '../../client/index.ts';
import { AppError } from '../../shared/index.ts';
import { custodianOf } from '../connect.ts';
import { writeNew } from '../private-output.ts';

/**
 * Keeps the promises to log that came with an answer just now, and gives what is wrong where they bind nobody: the file shows that
 * too, so it is written all the same, and the reader gets the answer first.
 */
export async function keepPromises(
  client: NodeClient,
  header: string,
  file: string,
): Promise<AppError | undefined> {
  const receivedMs = Date.now();
  writeNew(file, `${header}\n`);
  try {
    const received = { custodian: await custodianOf(client), receivedMs };
    for (const promise of header.split(',')) await client.requireBindingPromise(promise.trim(), received);
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}
