import { type ProofVerdict, verdictOf, verified } from './verify-receipt.ts';
import { type Trust, verifyHead } from './verify-recorded.ts';
import { headFindings } from './words.ts';

/** Checks a bare checkpoint. It carries no genesis, so the reader must bring the chain's. */
export function verifyCheckpointNote(note: string, genesis: Uint8Array, trust: Trust = {}): ProofVerdict {
  return verdictOf(() => {
    const head = verifyHead({ genesis, checkpoint: note }, trust);
    return verified('checkpoint', head, headFindings(head, trust));
  });
}

/** Whether a file's text is meant as a checkpoint: by its first line. */
export function isCheckpointText(text: string): boolean {
  return /^careledger\/[0-9a-f]{64}\n/.test(text);
}
