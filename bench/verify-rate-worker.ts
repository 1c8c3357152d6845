/** Verifies one signature again and again for some seconds, and posts how many a second. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { verifyNatively } from '../src/engine/native-verify.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
const checks = Array.from({ length: 64 }, () => {
  const message = new Uint8Array(randomBytes(143));
  return { message, signature: new Uint8Array(sign(null, message, privateKey)) };
});

const started = performance.now();
let count = 0;
while (performance.now() - started < Number(workerData) * 1000) {
  for (const { message, signature } of checks)
    if (!verifyNatively(key, message, signature)) throw new Error('a valid signature was refused');
  count += checks.length;
}
parentPort?.postMessage((count / (performance.now() - started)) * 1000);
