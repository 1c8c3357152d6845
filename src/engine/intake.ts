import { admit, RESULT_CODES, type ResultCode, readSigner } from '../ledger/index.ts';
import { AppError } from '../shared/index.ts';
import type { ChainRules } from './chain-rules.ts';
import type { Committed } from './engine.ts';
import type { LedgerReader } from './ledger-reader.ts';
import type { LedgerState } from './ledger-state.ts';
import type { Sequencer } from './sequencer.ts';
import { openSubmission, type Submission } from './submission.ts';
import { TransactionRefusedError } from './transaction-refused.ts';
import type { VerifyPool } from './verify-pool.ts';

const MAX_WAITING_BYTES = 64 * 1024 * 1024;

type IntakeParts = {
  readonly sequencer: Sequencer;
  readonly pool: VerifyPool;
  readonly reader: LedgerReader;
  readonly state: LedgerState;
  readonly rules: ChainRules;
  readonly queueLimit: number;
};

/** Answers at once what need not wait for a block: duplicates, overload, and what cannot be admitted. The block decides the rest. */
export class Intake {
  readonly #parts: IntakeParts;
  #closed = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  async submit(bytes: Uint8Array): Promise<Committed> {
    const { sequencer } = this.#parts;
    if (this.#closed)
      throw new AppError('closed', 'The ledger is shutting down. Try again when the node runs.');
    if (sequencer.failure !== undefined) throw sequencer.failure;
    const submission = openSubmission(bytes);
    const same = sequencer.inFlight.get(submission.idKey);
    if (same !== undefined) return same.settled.promise;
    this.#refuseOverload(submission);
    const publicKey = this.#keyIfNext(submission);
    if (publicKey !== undefined) return this.#accept(submission, publicKey);
    const code = this.#codeNow(submission);
    if (code === RESULT_CODES['sequence-replayed']) return this.#recordedBefore(submission);
    if (!this.#mayChangeInFlight(code)) throw new TransactionRefusedError(code);
    return this.#accept(submission, undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#parts.sequencer.idle();
  }

  /** The signer's key, where the sequence number is the one that comes next after what is in flight. */
  #keyIfNext({ transaction: { header }, signerKey }: Submission): Uint8Array | undefined {
    const { state, rules } = this.#parts;
    const account = readSigner(state.values, header.signer, rules.contracts);
    if (account === undefined || account.isSuspended) return undefined;
    const next = this.#parts.sequencer.inFlight.nextSequence(signerKey) ?? account.nextSequence;
    return header.sequence === next ? account.publicKey : undefined;
  }

  /** What admission says now, its signature aside. A number that another transaction in flight has taken counts as used. */
  #codeNow({ transaction }: Submission): ResultCode {
    const { state, rules } = this.#parts;
    const { code } = admit(state.values, state.height + 1, transaction, { ...rules, verify: () => true });
    return code === RESULT_CODES.ok ? RESULT_CODES['sequence-replayed'] : code;
  }

  /** A signer may be registered or reinstated by a transaction that is still on its way. */
  #mayChangeInFlight(code: ResultCode): boolean {
    const canChange = code === RESULT_CODES['unknown-signer'] || code === RESULT_CODES['suspended-signer'];
    return canChange && this.#parts.sequencer.inFlight.size > 0;
  }

  /** The same transaction gets the same answer as the first time; another one with a used number is refused. */
  async #recordedBefore({ id }: Submission): Promise<Committed> {
    const recorded = await this.#parts.reader.transaction(id);
    if (recorded === undefined) throw new TransactionRefusedError(RESULT_CODES['sequence-replayed']);
    const { height, index, transactionId, code, leafIndex } = recorded;
    return { height, index, transactionId, code, leafIndex };
  }

  #accept(submission: Submission, publicKey: Uint8Array | undefined): Promise<Committed> {
    const { sequencer, pool } = this.#parts;
    sequencer.enqueue(submission);
    const settle = (valid: boolean): void => {
      submission.verdict = valid;
      sequencer.wake();
    };
    submission.checkedWith = publicKey;
    const { signedMessage: message, transaction } = submission;
    if (publicKey === undefined) settle(false);
    else pool.check({ publicKey, message, signature: transaction.signature }, settle);
    return submission.settled.promise;
  }

  #refuseOverload({ bytes }: Submission): void {
    const { sequencer, queueLimit } = this.#parts;
    const { inFlight } = sequencer;
    if (inFlight.size < queueLimit && inFlight.bytes + bytes.length <= MAX_WAITING_BYTES) return;
    throw new AppError('busy', 'Too many transactions are waiting. Submit this one again in a second.');
  }
}
