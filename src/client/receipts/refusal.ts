import type { NoteError } from '../../ledger/index.ts';
import type { ReceiptError } from './receipt-format.ts';

/** Why a proof was refused: a stable code, and what it means to a reader. */
export const REFUSALS = {
  'receipt-too-large': 'The file is larger than any receipt.',
  'receipt-malformed': 'The file is not a receipt of this format.',
  'receipt-not-canonical': 'The file is not in the one form a receipt has: it was changed or reformatted.',
  'receipt-damaged': 'The file does not match its own digest: at least one byte was changed.',
  'genesis-malformed': 'The beginning of the chain that the file carries is not valid.',
  'wrong-chain': 'The proof is about another chain than the one you trust.',
  'note-too-large': 'The checkpoint is larger than any checkpoint.',
  'note-malformed': 'The checkpoint is not a signed note.',
  'too-many-signatures': 'The checkpoint carries more signatures than are accepted.',
  'checkpoint-malformed': 'The text of the checkpoint is not valid.',
  'operator-signature-missing': 'The checkpoint is not signed by the operator of this chain.',
  'signature-invalid': 'A signature is not valid.',
  'signature-repeated': 'The checkpoint carries the same signature twice.',
  'quorum-missing': 'Fewer witnesses co-signed the checkpoint than you require.',
  'leaf-malformed': 'The entry of the history is not valid.',
  'leaf-not-in-log': 'The entry is not in the history that the checkpoint stands for.',
  'payload-mismatch': 'The payload is not the one that was signed and recorded.',
  'signer-unproven': "The key in the file is not shown to be the signer's.",
  'wrong-action': 'The recorded transaction is of another type than the file says.',
  'transaction-refused': 'The ledger refused this transaction, so it had no effect.',
  'commitment-mismatch': 'The content is not the one that was committed to.',
  'entry-not-in-access-log': 'The entry is not in the access log that was anchored.',
  'state-proof-invalid': "The ledger's state does not say what the file says.",
  'state-subject-invalid': "The file does not name a place in the ledger's state.",
  'consensus-missing':
    'The validators of this chain decide its heads, and the file carries no signatures of theirs. The signature of one node proves nothing.',
  'consensus-unexpected':
    'This chain has one operator and no validators, and the file carries signatures of validators.',
  'consensus-malformed': 'The blocks that the file carries are not valid.',
  'consensus-unproven': 'The blocks in the file are not shown to be decided by the validators of this chain.',
  'head-not-decided': 'The checkpoint is not the head that the validators decided.',
  'promise-malformed': 'The file is not a promise to log of this format.',
  'promise-key-replaced':
    'The account had replaced the key before a promise with this deadline can have been made: whoever has the old key made it.',
} as const satisfies Record<string, string> & Record<NoteError | ReceiptError, string>;

export type RefusalCode = keyof typeof REFUSALS;

/** Ends a verification; it never leaves this part. */
export class ProofRefused extends Error {
  override readonly name = 'ProofRefused';
  readonly code: RefusalCode;

  /** `details` says what of it holds, where a reader can do something about the rest. */
  constructor(code: RefusalCode, details?: string) {
    super(details === undefined ? REFUSALS[code] : `${REFUSALS[code]} ${details}`);
    this.code = code;
  }
}

export function refuseUnless(condition: boolean, code: RefusalCode): asserts condition {
  if (!condition) throw new ProofRefused(code);
}
