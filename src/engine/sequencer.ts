import {
  type Block,
  type BlockInput,
  type BlockOutput,
  decodeTransaction,
  encodeBlock,
  executeBlock,
} from '../ledger/index.ts';
import { AppError, equalBytes, ok } from '../shared/index.ts';
import { type BlockLog, SyncFailedError } from './block-log.ts';
import { encodeRecord } from './block-record.ts';
import type { ChainRules } from './chain-rules.ts';
import { CommitListeners } from './commit-listeners.ts';
import type { CommitListener } from './engine.ts';
import type { Frame } from './frame.ts';
import type { LedgerState, StagedBlock } from './ledger-state.ts';
import { verifyNatively } from './native-verify.ts';
import { InFlight, type Submission } from './submission.ts';
import { isAdmissionRefusal, TransactionRefusedError } from './transaction-refused.ts';

/** Bounds how long one block occupies the main thread, and how many bytes one write has. */
const MAX_BLOCK_TRANSACTIONS = 512;
const MAX_BLOCK_BYTES = 4 * 1024 * 1024;

type Batch = {
  readonly submissions: readonly Submission[];
  readonly output: BlockOutput;
  readonly height: number;
  readonly timeMs: number;
};

/**
 * Turns checked submissions into blocks, in the order they came: while one block is being made durable the next ones
 * gather, so that many share one sync.
 */
export class Sequencer {
  readonly inFlight = new InFlight();
  readonly #state: LedgerState;
  readonly #log: BlockLog;
  readonly #rules: ChainRules;
  readonly #now: () => number;
  readonly #listeners = new CommitListeners();
  #queue: Submission[] = [];
  #isRunning = false;
  #failure: AppError | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(parts: { state: LedgerState; log: BlockLog; rules: ChainRules; now: () => number }) {
    this.#state = parts.state;
    this.#log = parts.log;
    this.#rules = parts.rules;
    this.#now = parts.now;
  }

  /** Why nothing can be recorded any more, once that is so. */
  get failure(): AppError | undefined {
    return this.#failure;
  }

  onCommit(listener: CommitListener): () => void {
    return this.#listeners.add(listener);
  }

  enqueue(submission: Submission): void {
    this.inFlight.add(submission);
    this.#queue.push(submission);
  }

  /** To be called when a submission has its verdict. */
  wake(): void {
    if (this.#isRunning || this.#queue[0]?.verdict === undefined) return;
    this.#isRunning = true;
    // A batch of verdicts arrives at once; the block waits for all of them.
    queueMicrotask(() => void this.#run());
  }

  /** Resolves when everything accepted is settled. */
  async idle(): Promise<void> {
    while (this.inFlight.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  async #run(): Promise<void> {
    for (let next = this.#takeChecked(); next.length > 0; next = this.#takeChecked())
      await this.#record(next);
    this.#isRunning = false;
    if (this.inFlight.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** The longest run from the front that has verdicts, up to the limits of a block. */
  #takeChecked(): Submission[] {
    let bytes = 0;
    let count = 0;
    for (const submission of this.#queue) {
      bytes += submission.bytes.length;
      if (
        submission.verdict === undefined ||
        count === MAX_BLOCK_TRANSACTIONS ||
        (count > 0 && bytes > MAX_BLOCK_BYTES)
      )
        break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #record(submissions: readonly Submission[]): Promise<void> {
    let pending = submissions;
    try {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#state.values.ready();
      const batch = this.#execute(submissions);
      pending = batch.submissions;
      if (pending.length > 0) await this.#append(batch);
    } catch (cause) {
      this.#rejectAll(pending, cause);
    }
  }

  /** What admission refuses is answered and left out; the rest is executed as if it had never been there. */
  #execute(submissions: readonly Submission[]): Batch {
    const height = this.#state.height + 1;
    const timeMs = Math.max(this.#now(), this.#state.seal.timeMs);
    const { chainId, contracts } = this.#rules;
    let accepted = submissions;
    for (;;) {
      const output = executeBlock({
        state: this.#state.values,
        chainId,
        contracts,
        height,
        timeMs,
        transactions: accepted.map(({ bytes }) => bytes),
        ...knownOf(accepted),
      });
      if (!output.results.some(({ code }) => isAdmissionRefusal(code)))
        return { submissions: accepted, output, height, timeMs };
      accepted = this.#refuse(accepted, output);
    }
  }

  #refuse(submissions: readonly Submission[], output: BlockOutput): Submission[] {
    return submissions.filter((submission, index) => {
      const code = output.results[index]?.code ?? 0;
      if (!isAdmissionRefusal(code)) return true;
      this.#reject(submission, new TransactionRefusedError(code));
      return false;
    });
  }

  async #append(batch: Batch): Promise<void> {
    const { height, timeMs, output, submissions } = batch;
    const transactions = submissions.map(({ bytes }) => bytes);
    const block: Block = { height, timeMs, previousAppHash: this.#state.seal.appHash, transactions };
    const staged = this.#state.stage({ timeMs, leaves: output.leaves, writes: output.stateWrites });
    const { frame, checkpoint } = await this.#makeDurable(block, batch, staged);
    const firstLeaf = this.#state.history.size - submissions.length;
    staged.commit(
      frame,
      checkpoint,
      submissions.map(({ id }) => id),
    );
    this.#notify(block, output);
    for (const [index, submission] of submissions.entries()) {
      const code = output.results[index]?.code ?? 0;
      this.inFlight.remove(submission, true);
      submission.settled.resolve({
        height,
        index,
        transactionId: submission.id,
        code,
        leafIndex: firstLeaf + index,
      });
    }
  }

  async #makeDurable(
    block: Block,
    { output }: Batch,
    staged: StagedBlock,
  ): Promise<{ frame: Frame; checkpoint: string }> {
    try {
      const checkpoint = this.#rules.signHead(block.height, staged.seal);
      const codes = output.results.map(({ code }) => code);
      const payload = encodeRecord({
        kind: 'block',
        body: encodeBlock(block),
        codes,
        seal: { ...staged.seal, checkpoint },
      });
      return { frame: await this.#log.append(block.height, payload), checkpoint };
    } catch (cause) {
      staged.discard();
      if (cause instanceof SyncFailedError) this.#failure = cause;
      throw cause;
    }
  }

  /** A view that missed a block would answer from an older state, so the engine stops rather than go on without it. */
  #notify(block: Block, output: BlockOutput): void {
    const failure = this.#listeners.tell(block, output);
    if (failure === undefined) return;
    this.#failure = failure;
    throw failure;
  }

  #rejectAll(submissions: readonly Submission[], cause: unknown): void {
    const error =
      cause instanceof AppError
        ? cause
        : new AppError('internal', 'The block could not be made. This is a defect: report it.', { cause });
    for (const submission of submissions) this.#reject(submission, error);
  }

  #reject(submission: Submission, error: AppError): void {
    this.inFlight.remove(submission, false);
    submission.settled.reject(error);
  }
}

/** What is known of the submissions already: each decoded, and the worker's verdict where the key is still the same. */
function knownOf(submissions: readonly Submission[]): Required<Pick<BlockInput, 'decode' | 'verify'>> {
  const byBytes = new Map(submissions.map((submission) => [submission.bytes, submission]));
  const bySignature = new Map(
    submissions.map((submission) => [submission.transaction.signature, submission]),
  );
  return {
    decode: (bytes) => {
      const known = byBytes.get(bytes);
      return known === undefined ? decodeTransaction(bytes) : ok(known.transaction);
    },
    verify: (publicKey, message, signature) => {
      const known = bySignature.get(signature);
      if (
        known?.verdict !== undefined &&
        known.checkedWith !== undefined &&
        equalBytes(known.checkedWith, publicKey)
      )
        return known.verdict;
      return verifyNatively(publicKey, message, signature);
    },
  };
}
