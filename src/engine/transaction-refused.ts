import { type ResultCode, type ResultName, resultName } from '../ledger/index.ts';
import { AppError } from '../shared/index.ts';

const WHAT_TO_DO: Partial<Record<ResultName, string>> = {
  'wrong-chain': 'Sign it for this chain.',
  expired: 'Sign it again with a later last valid height.',
  'valid-too-long': 'Sign it again with an earlier last valid height.',
  'unknown-signer': 'Register the key first.',
  'suspended-signer': 'The registry has to reinstate the signer first.',
  'sequence-replayed': 'Ask for the next sequence number and sign it again.',
  'sequence-gap': 'Submit the transactions before it first.',
  'bad-signature': 'Sign it with the key that is registered now.',
};

/** The transaction may not enter a block; nothing was recorded. */
export class TransactionRefusedError extends AppError {
  readonly resultCode: ResultCode;
  readonly resultName: ResultName;

  constructor(resultCode: ResultCode) {
    const name = resultName(resultCode) ?? 'malformed-transaction';
    super(
      'transaction-refused',
      `The transaction was refused: ${name}. ${WHAT_TO_DO[name] ?? 'Correct it and sign it again.'}`,
    );
    this.resultCode = resultCode;
    this.resultName = name;
  }
}

/** Codes below 100 are the ledger's own: such a transaction never enters a block. */
export function isAdmissionRefusal(code: ResultCode): boolean {
  return code > 0 && code < 100;
}
