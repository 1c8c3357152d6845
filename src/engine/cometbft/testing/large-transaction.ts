import { encodeCommitVersions, MAX_BATCH_ENTRIES } from '../../../contracts/index.ts';
import { type SampleChain, type SampleSigner, sampleBytes, signedAction } from '../../sample-chain.ts';

const pseudonym = sampleBytes(1, 'pseudonym');
const entries = Array.from({ length: MAX_BATCH_ENTRIES }, () => ({ pseudonym, commitment: pseudonym }));

/** A transaction that admission lets in and that is about as long as any: some of them fill what one signer may have waiting. */
export function largeTransaction(chain: SampleChain, signer: SampleSigner): Uint8Array {
  const author = signer.accountId;
  const parts = encodeCommitVersions({ author, authorSignature: null, entries });
  return signedAction(chain, signer, 'commit-versions', parts);
}
