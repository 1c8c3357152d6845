import { AppError } from '../../shared/index.ts';
import { isCheckpointText, verifyCheckpointNote } from './verify-checkpoint-file.ts';
import { isPromiseCaseText, verifyPromiseCase } from './verify-promise.ts';
import { type ProofVerdict, verifyReceipt } from './verify-receipt.ts';
import type { Trust } from './verify-recorded.ts';

/** Trust, and the genesis that a bare checkpoint needs. */
export type FileTrust = Trust & { readonly genesis?: Uint8Array };

/** Verifies the text of a proof file, whatever of ours it is: a receipt, a case about a promise to log, or a checkpoint. */
export function verifyText(text: string, trust: FileTrust = {}): ProofVerdict {
  if (isCheckpointText(text)) return verifyCheckpointNote(text, genesisOf(trust), trust);
  return isPromiseCaseText(text) ? verifyPromiseCase(text, trust) : verifyReceipt(text, trust);
}

function genesisOf({ genesis }: FileTrust): Uint8Array {
  if (genesis !== undefined) return genesis;
  throw new AppError(
    'usage',
    'A checkpoint can be checked only with the genesis of its chain: name the file with --genesis (a node gives it at /ledger/genesis).',
  );
}
