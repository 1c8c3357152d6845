import { AppError } from '../../shared/index.ts';
import type { Committed } from '../engine.ts';
import { mapKey } from '../state-values.ts';
import type { Submission } from '../submission.ts';
import type { CommittedBlock } from './consensus-chain.ts';

type Waiting = { readonly submission: Submission; readonly timer: NodeJS.Timeout };

/** Submissions that are not in a block yet. Each is settled once: by its block, by a refusal, or when its time is over. */
export class WaitingSubmissions {
  readonly #byId = new Map<string, Waiting>();
  readonly #timeoutMs: number;
  #bytes = 0;
  #whenEmpty: (() => void)[] = [];

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#byId.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(idKey: string): Submission | undefined {
    return this.#byId.get(idKey)?.submission;
  }

  add(submission: Submission): void {
    const timer = setTimeout(() => this.reject(submission, tooLate()), this.#timeoutMs);
    timer.unref();
    this.#byId.set(submission.idKey, { submission, timer });
    this.#bytes += submission.bytes.length;
  }

  all(): Submission[] {
    return [...this.#byId.values()].map(({ submission }) => submission);
  }

  resolve(submission: Submission, committed: Committed): void {
    if (this.#remove(submission)) submission.settled.resolve(committed);
  }

  reject(submission: Submission, error: AppError): void {
    if (this.#remove(submission)) submission.settled.reject(error);
  }

  fail(idKey: string, error: AppError): void {
    const submission = this.get(idKey);
    if (submission !== undefined) this.reject(submission, error);
  }

  settleBlock({ block, output, firstLeaf, transactionIds }: CommittedBlock): void {
    if (this.#byId.size === 0) return;
    for (const [index, transactionId] of transactionIds.entries()) {
      const submission = this.get(mapKey(transactionId));
      const code = output.results[index]?.code ?? 0;
      const place = { height: block.height, index, leafIndex: firstLeaf + index };
      if (submission !== undefined) this.resolve(submission, { ...place, transactionId, code });
    }
  }

  async idle(): Promise<void> {
    while (this.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  #remove(submission: Submission): boolean {
    const waiting = this.#byId.get(submission.idKey);
    if (waiting?.submission !== submission) return false;
    clearTimeout(waiting.timer);
    this.#byId.delete(submission.idKey);
    this.#bytes -= submission.bytes.length;
    if (this.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
    return true;
  }
}

function tooLate(): AppError {
  return new AppError(
    'timeout',
    'The consortium has not confirmed the transaction in time; it may still do so. Submit the same transaction again: it is recorded once.',
  );
}
