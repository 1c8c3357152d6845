import { MAX_BLOCK_TRANSACTIONS, MAX_TRANSACTION_BYTES, RESULT_CODES } from '../../ledger/index.ts';
import { mapKey } from '../state-values.ts';
import { isAdmissionRefusal } from '../transaction-refused.ts';
import type { ConsensusChain, Executed } from './consensus-chain.ts';
import { type Amount, FairOrder, type Offered } from './fair-order.ts';
import { signerIn } from './header-bytes.ts';
import { keyChecksOf, MAX_KEY_CHECKS } from './key-checks.ts';
import { workAtPace, workOf } from './proposal-pace.ts';
import { shareHolderOf } from './share-holder.ts';
import { isUrgent } from './urgent-actions.ts';

/** What a block of the consortium holds at most, so that it can be passed on, checked and executed within a second. */
export const MAX_PROPOSAL_BYTES = 4 * 1024 * 1024;
export const MAX_PROPOSAL_TRANSACTIONS = MAX_BLOCK_TRANSACTIONS;
/** Each transaction is some work, and one goes in beside this much. */
const MAX_PACED_WORK = MAX_PROPOSAL_TRANSACTIONS - 1;
/** Field number and length before each transaction in CometBFT's block, which count towards its limit (types.ComputeProtoSizeForTxs). */
const TRANSACTION_OVERHEAD_BYTES = 6;

/**
 * How much of a block goes first of all to what is urgent. Few key checks, because the urgent ones are tried beforehand, and so that a
 * proposal to change all validators finds room behind them.
 */
const [URGENT_PART, URGENT_KEY_CHECKS] = [0.5, MAX_KEY_CHECKS / 8];

/**
 * The transactions for a block: first urgent ones, each with what its signer sent before it, then the others in the order in which they
 * came. Which of them, if not all fit, is shared out among organisations. What a contract would refuse takes nobody's right away, so
 * it is not urgent: the urgent ones are tried on their own beforehand.
 */
export function packProposal(
  chain: ConsensusChain,
  timeMs: number,
  transactions: readonly Uint8Array[],
  maxBytes: number,
): readonly Uint8Array[] {
  const offered = transactions.map((bytes) => offeredFrom(chain, bytes));
  const whole = {
    work: Math.min(MAX_PACED_WORK, workAtPace(chain.recentBlocks, timeMs)),
    bytes: Math.min(maxBytes, MAX_PROPOSAL_BYTES),
    keyChecks: MAX_KEY_CHECKS,
  };
  const tried = new FairOrder(whole).chooseFirst(upToUrgent(offered, new Set()), mostForUrgent(whole));
  const packed = packedOf(offered, whole, signersInVain(chain, timeMs, [...tried]));
  if (packed.length === 0) return [];
  const { output } = chain.execute(timeMs, packed);
  // What admission refuses changes nothing, so without it the others fare as they did with it.
  return packed.filter((_, index) => !isAdmissionRefusal(output.results[index]?.code ?? 0));
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

function offeredFrom(chain: ConsensusChain, bytes: Uint8Array): Offered {
  const signer = signerIn(bytes);
  const amount = {
    work: workOf(bytes),
    bytes: bytes.length + TRANSACTION_OVERHEAD_BYTES,
    keyChecks: keyChecksOf(bytes),
  };
  return { bytes, signer: mapKey(signer), holder: shareHolderOf(chain.parts.state.values, signer), amount };
}

/** The signers of whom something urgent would be refused. */
function signersInVain(
  chain: ConsensusChain,
  timeMs: number,
  urgent: readonly Offered[],
): ReadonlySet<string> {
  if (urgent.length === 0) return new Set();
  const { results } = chain.execute(timeMs, bytesOf(urgent)).output;
  const inVain = urgent.filter(
    ({ bytes }, index) => isUrgent(bytes) && results[index]?.code !== RESULT_CODES.ok,
  );
  return new Set(inVain.map(({ signer }) => signer));
}

function packedOf(
  offered: readonly Offered[],
  whole: Amount,
  inVain: ReadonlySet<string>,
): readonly Uint8Array[] {
  const order = new FairOrder(whole);
  const first = order.chooseFirst(upToUrgent(offered, inVain), mostForUrgent(whole));
  const others = order.choose(offered.filter((one) => !first.has(one)));
  return bytesOf([...first, ...offered.filter((one) => others.has(one))]);
}

function mostForUrgent({ work, bytes }: Amount): Amount {
  return {
    work: Math.ceil(work * URGENT_PART),
    bytes: Math.ceil(bytes * URGENT_PART),
    keyChecks: URGENT_KEY_CHECKS,
  };
}

/** An urgent transaction brings what its signer sent before it to the front, or its sequence number would not be the next. */
function upToUrgent(offered: readonly Offered[], inVain: ReadonlySet<string>): readonly Offered[] {
  const lastUrgent = new Map<string, number>();
  for (const [index, { bytes, signer }] of offered.entries())
    if (isUrgent(bytes) && !inVain.has(signer)) lastUrgent.set(signer, index);
  if (lastUrgent.size === 0) return [];
  return offered.filter(({ signer }, index) => index <= (lastUrgent.get(signer) ?? -1));
}

function bytesOf(offered: readonly Offered[]): readonly Uint8Array[] {
  return offered.map(({ bytes }) => bytes);
}
