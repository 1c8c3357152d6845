import type { Actor } from '../../src/contracts/testing/test-chain.ts';
import { signMessage } from '../../src/identity/index.ts';
import { encodePromise, promiseOfEntry, signBatchPromise } from '../../src/ledger/index.ts';
import { leafHash, MerkleLog, utf8 } from '../../src/shared/index.ts';
import type { ProofChain } from './proof-chain.ts';

/** The promise that entry `index` has the text `text`, to be anchored by `deadlineMs`. */
export function promiseOf(
  chain: ProofChain,
  index: number,
  text: string,
  anchorDeadlineMs: number,
  hospital: Actor = chain.chain.hospital,
): string {
  const leaf = leafHash(utf8(text));
  const tree = new MerkleLog();
  tree.append(leaf);
  const batch = { root: tree.root(), firstLeafIndex: index, size: 1 };
  const sign = (message: Uint8Array) => signMessage(hospital.seed, message);
  const batchSignature = signBatchPromise(batch, { custodian: hospital.id, anchorDeadlineMs, sign });
  const maker = { accountId: hospital.id, publicKey: hospital.publicKey };
  const promise = promiseOfEntry(maker, {
    leafIndex: index,
    leafHash: leaf,
    batch,
    batchPath: [],
    batchSignature,
  });
  if (promise === undefined) throw new Error('the batch is signed');
  return encodePromise(promise);
}
