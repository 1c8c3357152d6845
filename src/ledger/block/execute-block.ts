import { readAccount, writeAccount } from '../account.ts';
import { requireKnownVersion } from '../protocol-version.ts';
import { RESULT_CODES, type ResultCode, type TransactionResult } from '../result-codes.ts';
import type { StateReader, StateWrite } from '../state/state-key.ts';
import { createOverlay, type StateOverlay } from '../state/state-overlay.ts';
import { decodeTransaction, type Transaction } from '../transaction/transaction.ts';
import { type AdmissionRules, admit } from './admit.ts';
import { logLeaf } from './log-leaf.ts';

export type BlockInput = AdmissionRules & {
  readonly state: StateReader;
  readonly height: number;
  readonly timeMs: number;
  readonly transactions: readonly Uint8Array[];
  /** An engine that decoded these bytes before may answer with that. */
  readonly decode?: typeof decodeTransaction;
};

export type BlockOutput = {
  /** One for each transaction, in order. */
  readonly results: readonly TransactionResult[];
  /** Sorted by key, each key once. */
  readonly stateWrites: readonly StateWrite[];
  /** The bytes of the new history leaves: one for each transaction that could be decoded, in order. */
  readonly leaves: readonly Uint8Array[];
};

/**
 * Executes a block: a pure function of the state before it and its bytes. A refused transaction is a recorded result. One that fails
 * admission changes nothing; one that its contract refuses uses up its sequence number, so that it cannot be tried again later.
 * Throws AppError `upgrade-needed` where the consortium decided for rules that this software does not know.
 */
export function executeBlock(input: BlockInput): BlockOutput {
  const version = requireKnownVersion(input.state, input.height, input.contracts.newestVersion);
  const overlay = createOverlay(input.state);
  const decode = input.decode ?? decodeTransaction;
  const results: TransactionResult[] = [];
  const leaves: Uint8Array[] = [];
  input.transactions.forEach((bytes, index) => {
    const transaction = decode(bytes);
    if (!transaction.ok) {
      results.push({ code: RESULT_CODES['malformed-transaction'] });
      return;
    }
    const result = { code: executeTransaction(overlay, input, version, transaction.value) };
    results.push(result);
    leaves.push(logLeaf({ height: input.height, index, timeMs: input.timeMs }, transaction.value, result));
  });
  return { results, stateWrites: overlay.writes(), leaves };
}

function executeTransaction(
  state: StateOverlay,
  input: BlockInput,
  version: number,
  transaction: Transaction,
): ResultCode {
  const { header } = transaction;
  const admission = admit(state, input.height, transaction, input);
  if (admission.code !== RESULT_CODES.ok) return admission.code;
  const context = {
    chainId: input.chainId,
    height: input.height,
    timeMs: input.timeMs,
    signer: header.signer,
    version,
  };
  const code = admission.action.check(state, context);
  if (code === RESULT_CODES.ok) admission.action.apply(state, context);
  // Read again: the action may have changed the signer's own account, as a key rotation does.
  const account = readAccount(state, header.signer) ?? admission.account;
  writeAccount(state, header.signer, { ...account, nextSequence: header.sequence + 1 });
  return code;
}
