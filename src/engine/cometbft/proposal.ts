import {
  decodeTransaction,
  MAX_BLOCK_TRANSACTIONS,
  MAX_TRANSACTION_BYTES,
  type Transaction,
} from '../../ledger/index.ts';
import { mapKey } from '../state-values.ts';
import { isAdmissionRefusal } from '../transaction-refused.ts';
import type { ConsensusChain, Executed } from './consensus-chain.ts';
import { isOneOf, keyChecksOf, MAX_KEY_CHECKS } from './key-checks.ts';
import { transactionsAtPace } from './proposal-pace.ts';
import { URGENT } from './urgent-actions.ts';

/** What a block of the consortium holds at most, so that it can be passed on, checked and executed within a second. */
export const MAX_PROPOSAL_BYTES = 4 * 1024 * 1024;
export const MAX_PROPOSAL_TRANSACTIONS = MAX_BLOCK_TRANSACTIONS;
/** Field number and length before each transaction in CometBFT's block, which count towards its limit (types.ComputeProtoSizeForTxs). */
const TRANSACTION_OVERHEAD_BYTES = 6;

type Limits = { readonly bytes: number; readonly transactions: number };
type Offered = { readonly bytes: Uint8Array; readonly transaction: Transaction };

/** The transactions for a block: urgent ones first, every signer's in its own order, and only what may enter. */
export function packProposal(
  chain: ConsensusChain,
  timeMs: number,
  offered: readonly Uint8Array[],
  maxBytes: number,
): readonly Uint8Array[] {
  const limits = {
    bytes: Math.min(maxBytes, MAX_PROPOSAL_BYTES),
    transactions: Math.min(MAX_PROPOSAL_TRANSACTIONS, transactionsAtPace(chain.recentBlocks, timeMs)),
  };
  let transactions = withinLimits(withinKeyChecks(inPriorityOrder(offered)), limits);
  while (transactions.length > 0) {
    const { output, isAdmissible } = chain.execute(timeMs, transactions);
    if (isAdmissible) return transactions;
    transactions = transactions.filter((_, index) => !isAdmissionRefusal(output.results[index]?.code ?? 0));
  }
  return [];
}

/** Why a proposed block is refused; undefined where it may be decided. */
export function objectionTo(
  chain: ConsensusChain,
  timeMs: number,
  transactions: readonly Uint8Array[],
): string | undefined {
  if (transactions.length > MAX_PROPOSAL_TRANSACTIONS) return `it has ${transactions.length} transactions`;
  const bytes = transactions.reduce((sum, { length }) => sum + length, 0);
  if (bytes > MAX_PROPOSAL_BYTES) return `it has ${bytes} bytes`;
  if (transactions.some(({ length }) => length > MAX_TRANSACTION_BYTES)) return 'a transaction is too long';
  const keys = transactions.reduce((sum, one) => sum + keyChecksOf(one), 0);
  if (keys > MAX_KEY_CHECKS) return `it has ${keys} keys to check`;
  if (timeMs < chain.parts.state.seal.timeMs) return 'its time is before that of the block before it';
  if (transactions.length === 0) return undefined;
  const executed = chain.execute(timeMs, transactions);
  return executed.isAdmissible ? undefined : objectionToOne(executed);
}

function objectionToOne({ output }: Executed): string {
  const index = output.results.findIndex(({ code }) => isAdmissionRefusal(code));
  return `transaction ${index} may not enter a block (result code ${output.results[index]?.code})`;
}

/** What cannot be decoded is left out by admission; so only where something is urgent is everything decoded here. */
function inPriorityOrder(offered: readonly Uint8Array[]): readonly Uint8Array[] {
  return offered.some(mayBeUrgent) ? urgentFirst(offered) : offered;
}

/** An urgent transaction brings what its signer sent before it to the front, or its sequence number would not be the next. */
function urgentFirst(offered: readonly Uint8Array[]): readonly Uint8Array[] {
  const decoded = offered.flatMap(decodedOrNone);
  const lastUrgent = new Map<string, number>();
  for (const [index, { transaction }] of decoded.entries())
    if (isUrgent(transaction)) lastUrgent.set(mapKey(transaction.header.signer), index);
  const isFirst = ({ transaction }: Offered, index: number): boolean =>
    index <= (lastUrgent.get(mapKey(transaction.header.signer)) ?? -1);
  const first = decoded.filter((one, index) => isFirst(one, index));
  const others = decoded.filter((one, index) => !isFirst(one, index));
  return [...first, ...others].map(({ bytes }) => bytes);
}

/** What would be one key too many waits for the next block; what its signer sent after it is then left out by admission. */
function withinKeyChecks(transactions: readonly Uint8Array[]): readonly Uint8Array[] {
  let keys = 0;
  return transactions.filter((bytes) => {
    const more = keyChecksOf(bytes);
    if (keys + more > MAX_KEY_CHECKS) return false;
    keys += more;
    return true;
  });
}

function withinLimits(transactions: readonly Uint8Array[], limits: Limits): readonly Uint8Array[] {
  let bytes = 0;
  const end = transactions.findIndex(({ length }, index) => {
    bytes += length + TRANSACTION_OVERHEAD_BYTES;
    return bytes > limits.bytes || index === limits.transactions;
  });
  return end === -1 ? transactions : transactions.slice(0, end);
}

function decodedOrNone(bytes: Uint8Array): Offered[] {
  const decoded = decodeTransaction(bytes);
  return decoded.ok ? [{ bytes, transaction: decoded.value }] : [];
}

function mayBeUrgent(bytes: Uint8Array): boolean {
  return isOneOf(bytes, URGENT);
}

function isUrgent({ header }: Transaction): boolean {
  return URGENT.some(({ contract, action }) => header.contract === contract && header.action === action);
}
