import { decodeTransaction, signingBytes, type Transaction } from '../ledger/index.ts';
import { AppError, sha256 } from '../shared/index.ts';
import type { Committed } from './engine.ts';
import { mapKey } from './state-values.ts';

/** A transaction on its way into a block. */
export type Submission = {
  readonly bytes: Uint8Array;
  readonly transaction: Transaction;
  readonly signedMessage: Uint8Array;
  readonly id: Uint8Array;
  readonly idKey: string;
  readonly signerKey: string;
  /** The signer's key when the signature was checked off the main thread; the block asks again if it has changed. */
  checkedWith: Uint8Array | undefined;
  verdict: boolean | undefined;
  readonly settled: PromiseWithResolvers<Committed>;
};

/** Throws AppError `malformed-transaction`. */
export function openSubmission(bytes: Uint8Array): Submission {
  const owned = bytes.slice();
  const transaction = decodeTransaction(owned);
  if (!transaction.ok) {
    throw new AppError(
      'malformed-transaction',
      `The bytes are not a transaction: ${transaction.error.message}.`,
    );
  }
  const { header } = transaction.value;
  const signedMessage = signingBytes(header);
  const id = sha256(signedMessage);
  return {
    bytes: owned,
    transaction: transaction.value,
    signedMessage,
    id,
    idKey: mapKey(id),
    signerKey: mapKey(header.signer),
    checkedWith: undefined,
    verdict: undefined,
    settled: Promise.withResolvers<Committed>(),
  };
}

type SignerLine = { count: number; nextSequence: number };

/** What was accepted and is not settled: by transaction, to answer duplicates, and by signer, to let one pipeline. */
export class InFlight {
  readonly #byId = new Map<string, Submission>();
  readonly #bySigner = new Map<string, SignerLine>();

  #bytes = 0;

  get size(): number {
    return this.#byId.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(idKey: string): Submission | undefined {
    return this.#byId.get(idKey);
  }

  /** The sequence number after the signer's last accepted transaction; undefined when none is in flight. */
  nextSequence(signerKey: string): number | undefined {
    return this.#bySigner.get(signerKey)?.nextSequence;
  }

  add(submission: Submission): void {
    const nextSequence = submission.transaction.header.sequence + 1;
    this.#byId.set(submission.idKey, submission);
    this.#bytes += submission.bytes.length;
    const line = this.#bySigner.get(submission.signerKey);
    this.#bySigner.set(submission.signerKey, { count: (line?.count ?? 0) + 1, nextSequence });
  }

  /** Takes a settled submission out. After a refusal its sequence number may be used again. */
  remove(submission: Submission, wasRecorded: boolean): void {
    this.#byId.delete(submission.idKey);
    this.#bytes -= submission.bytes.length;
    const line = this.#bySigner.get(submission.signerKey);
    if (line === undefined) return;
    line.count -= 1;
    if (!wasRecorded) line.nextSequence = Math.min(line.nextSequence, submission.transaction.header.sequence);
    if (line.count === 0) this.#bySigner.delete(submission.signerKey);
  }
}
