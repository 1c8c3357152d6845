import { ACTIONS, type ActionName } from '../../contracts/index.ts';
import type { RecordedBlock } from '../../engine/index.ts';
import { decodeTransaction, RESULT_CODES, type Transaction } from '../../ledger/index.ts';

/** Where the header has the numbers of contract and action: after the version and the chain id. */
const CONTRACT_OFFSET = 33;
const ACTION_OFFSET = 34;

/** The number of the contract that an encoded transaction is of. */
export function contractOf(bytes: Uint8Array): number | undefined {
  return bytes[CONTRACT_OFFSET];
}

/** Those of one action that took effect, with their places in the block. No other is decoded: a start reads many blocks. */
export function* effectiveTransactions(
  { block, results }: Pick<RecordedBlock, 'block' | 'results'>,
  name: ActionName,
): Generator<{ readonly place: number; readonly transaction: Transaction }> {
  const { contract, action } = ACTIONS[name];
  for (const [place, bytes] of block.transactions.entries()) {
    if (contractOf(bytes) !== contract || bytes[ACTION_OFFSET] !== action) continue;
    if (results[place]?.code !== RESULT_CODES.ok) continue;
    const decoded = decodeTransaction(bytes);
    if (decoded.ok) yield { place, transaction: decoded.value };
  }
}
