import { encodeCommitVersions, MAX_BATCH_ENTRIES } from '../../../contracts/index.ts';
import { type SampleChain, type SampleSigner, sampleBytes, signedAction } from '../../sample-chain.ts';

const pseudonym = sampleBytes(1, 'pseudonym');

/** A transaction that admission lets in and that is as long as few are: some of them fill what one signer may have waiting. */
export function largeTransaction(
  chain: SampleChain,
  signer: SampleSigner,
  size = MAX_BATCH_ENTRIES,
): Uint8Array {
  const author = signer.accountId;
  const entries = Array.from({ length: size }, () => ({ pseudonym, commitment: pseudonym }));
  const parts = encodeCommitVersions({ author, authorSignature: null, entries });
  return signedAction(chain, signer, 'commit-versions', parts);
}
