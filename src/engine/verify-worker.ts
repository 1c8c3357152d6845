import { parentPort } from 'node:worker_threads';
import { loadVerify } from './native-verify.ts';
import { unpackChecks } from './signature-batch.ts';

const verify = loadVerify();

/** Answers each packed batch with one byte a check: 1 where the signature is valid. */
parentPort?.on('message', (batch: Uint8Array) => {
  const verdicts: number[] = [];
  for (const { publicKey, message, signature } of unpackChecks(batch)) {
    verdicts.push(verify(publicKey, message, signature) ? 1 : 0);
  }
  parentPort?.postMessage(Uint8Array.from(verdicts));
});
