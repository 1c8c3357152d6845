import { parentPort } from 'node:worker_threads';
import { verifyNatively } from './native-verify.ts';
import { unpackChecks } from './signature-batch.ts';

/** Says once that it is ready; then answers each packed batch with one byte a check: 1 where the signature is valid. */
parentPort?.postMessage(null);
parentPort?.on('message', (batch: Uint8Array) => {
  const verdicts: number[] = [];
  for (const { publicKey, message, signature } of unpackChecks(batch)) {
    verdicts.push(verifyNatively(publicKey, message, signature) ? 1 : 0);
  }
  parentPort?.postMessage(Uint8Array.from(verdicts));
});
