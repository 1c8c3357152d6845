import { decodeTransaction, RESULT_CODES, readAccount, transactionId } from '../../ledger/index.ts';
import { AppError, equalBytes } from '../../shared/index.ts';
import type { Committed } from '../engine.ts';
import type { LedgerReader } from '../ledger-reader.ts';
import { mapKey } from '../state-values.ts';
import { openSubmission, type Submission } from '../submission.ts';
import { TransactionRefusedError } from '../transaction-refused.ts';
import type { Broadcaster } from './broadcast.ts';
import type { ConsensusChain } from './consensus-chain.ts';
import type { MempoolVerdict } from './mempool-admission.ts';
import type { WaitingSubmissions } from './waiting-submissions.ts';

const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** How much more may wait where it is the node's own: while its users fill the queue it still writes and confirms that it is fresh. */
const OWN_ROOM = 1.25;
/** CometBFT's mempool is in memory, so what waits is handed over again in case it was restarted. */
const REBROADCAST_MS = 5_000;

type IntakeParts = {
  readonly chain: ConsensusChain;
  readonly reader: LedgerReader;
  readonly broadcaster: Broadcaster;
  readonly waiting: WaitingSubmissions;
  readonly queueLimit: number;
  /** The account in whose name the node itself writes. */
  readonly ownAccount: Uint8Array | undefined;
};

/** Takes transactions from this node's users to the consortium. What is acknowledged is in a block that was decided. */
export class ConsensusIntake {
  readonly #parts: IntakeParts;
  readonly #rebroadcast: NodeJS.Timeout;
  #closed = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#rebroadcast = setInterval(() => this.#handOverAgain(), REBROADCAST_MS);
    this.#rebroadcast.unref();
  }

  async submit(bytes: Uint8Array): Promise<Committed> {
    const { waiting, chain, broadcaster } = this.#parts;
    if (this.#closed) throw closed();
    if (chain.failure !== undefined) throw chain.failure;
    const submission = openSubmission(bytes);
    const same = waiting.get(submission.idKey);
    if (same !== undefined) return this.#withSame(submission, same);
    if (this.#isUsed(submission)) return this.#recordedBefore(submission);
    this.#refuseOverload(submission);
    waiting.add(submission);
    broadcaster.handOver(submission.idKey);
    return submission.settled.promise;
  }

  /** What CheckTx refused, now or after a block, is told to whoever waits for it. */
  refused(bytes: Uint8Array, verdict: MempoolVerdict): void {
    if (this.#parts.waiting.size === 0) return;
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) return;
    const submission = this.#parts.waiting.get(mapKey(transactionId(decoded.value.header)));
    // Another copy of it, with another signature, says nothing about this one.
    if (submission === undefined || !equalBytes(submission.bytes, bytes)) return;
    if (verdict !== RESULT_CODES['sequence-replayed']) {
      const error = verdict === 'busy' ? mempoolBusy() : new TransactionRefusedError(verdict);
      this.#parts.waiting.reject(submission, error);
      return;
    }
    // Either it is in a block already, or another one with its number is, or that one still waits.
    this.#recordedBefore(submission).then(
      (committed) => this.#parts.waiting.resolve(submission, committed),
      (error) => this.#parts.waiting.reject(submission, error),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#rebroadcast);
    for (const submission of this.#parts.waiting.all()) this.#parts.waiting.reject(submission, closed());
  }

  /** A transaction is named by what was signed, so one with a bad signature has the name of a good one. */
  async #withSame(submission: Submission, same: Submission): Promise<Committed> {
    if (equalBytes(submission.bytes, same.bytes)) return same.settled.promise;
    return same.settled.promise.catch(() => this.submit(submission.bytes));
  }

  #isUsed({ transaction: { header } }: Submission): boolean {
    const account = readAccount(this.#parts.chain.parts.state.values, header.signer);
    return account !== undefined && header.sequence < account.nextSequence;
  }

  /** The same transaction gets the same answer as the first time; another one with a used number is refused. */
  async #recordedBefore({ id }: Submission): Promise<Committed> {
    const recorded = await this.#parts.reader.transaction(id);
    if (recorded === undefined) throw new TransactionRefusedError(RESULT_CODES['sequence-replayed']);
    const { height, index, transactionId, code, leafIndex } = recorded;
    return { height, index, transactionId, code, leafIndex };
  }

  #handOverAgain(): void {
    for (const { idKey } of this.#parts.waiting.all()) this.#parts.broadcaster.handOverAgain(idKey);
  }

  #refuseOverload(submission: Submission): void {
    if (
      this.#hasRoomFor(submission, 1) ||
      (this.#isOwn(submission) && this.#hasRoomFor(submission, OWN_ROOM))
    )
      return;
    throw new AppError('busy', 'Too many transactions are waiting. Submit this one again in a second.');
  }

  #hasRoomFor({ bytes }: Submission, room: number): boolean {
    const { waiting, queueLimit } = this.#parts;
    return waiting.size < queueLimit * room && waiting.bytes + bytes.length <= MAX_WAITING_BYTES * room;
  }

  /** Anybody can write the node's account into a header, so here its signature counts. */
  #isOwn({ transaction: { header, signature }, signedMessage }: Submission): boolean {
    const { chain, ownAccount } = this.#parts;
    if (ownAccount === undefined || !equalBytes(header.signer, ownAccount)) return false;
    const { state, signatures } = chain.parts;
    const account = readAccount(state.values, ownAccount);
    return account !== undefined && signatures.verify(account.publicKey, signedMessage, signature);
  }
}

function mempoolBusy(): AppError {
  return new AppError(
    'busy',
    'Too many transactions are waiting, of this signer or in the consortium. Submit this one again in a second.',
  );
}

function closed(): AppError {
  return new AppError('closed', 'The ledger is shutting down. Try again when the node runs.');
}
