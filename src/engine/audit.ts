import { readdirSync } from 'node:fs';
import { CONTRACTS, genesisState } from '../contracts/index.ts';
import { verifySignature } from '../identity/index.ts';
import {
  chainIdOf,
  decodeGenesis,
  executeBlock,
  type Genesis,
  type ResultCode,
  type Transaction,
  transactionId,
  verifyCheckpoint,
} from '../ledger/index.ts';
import { DecodeError, equalBytes, toHex } from '../shared/index.ts';
import { LOG_FILE } from './block-log.ts';
import { type BlockRecord, decodeRecord, type Seal } from './block-record.ts';
import { LedgerDamageError } from './damage.ts';
import { damage, type Finding, note } from './finding.ts';
import type { Frame } from './frame.ts';
import { walkFrames } from './frame-walk.ts';
import { indexFindings } from './index-audit.ts';
import { LedgerState, type StagedBlock } from './ledger-state.ts';
import { openRecord } from './replay.ts';
import { memoryValues, type StateValues } from './state-values.ts';
import { folderStorage, storageError } from './storage.ts';

export type VerifyLedgerOptions = {
  /** When given, the ledger has to begin with it. */
  readonly chainId?: Uint8Array;
  /** Who signs the heads in this copy; the genesis' operator when absent. */
  readonly headKey?: Uint8Array | undefined;
  readonly onProgress?: (height: number, done: number, total: number) => void;
  /** Called for each block that led to the state that was recorded. */
  readonly onBlock?: (height: number, transactions: readonly CheckedTransaction[]) => void;
  /** Awaited after each frame: lets others work in the same process. */
  readonly pause?: () => Promise<void>;
};

/** A transaction of the ledger with its result. */
export type CheckedTransaction = { readonly transaction: Transaction; readonly code: ResultCode };

/**
 * Walks a ledger folder, or the ledger in a backup, without locking or changing it: every frame, the chain, every signature,
 * every result, state and history against what was recorded, and every checkpoint. Yields what is wrong and goes on.
 */
export async function* verifyLedgerFolder(
  folder: string,
  options: VerifyLedgerOptions = {},
): AsyncGenerator<Finding> {
  yield* tornFiles(folder);
  const audit = new Audit(options);
  for await (const step of walkFrames(folderStorage(folder))) {
    if (step.kind === 'finding') yield step.finding;
    else yield* audit.check(step.frame, step.follows);
    if (step.kind === 'frame') options.onProgress?.(step.frame.height, step.frame.end, step.acknowledgedEnd);
    await options.pause?.();
  }
  if (audit.reached !== undefined) yield* indexFindings(folder, audit.reached);
}

/** Torn tails that earlier starts set aside were never acknowledged, but somebody should know. */
function* tornFiles(folder: string): Generator<Finding> {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw storageError('list', folder, cause);
  }
  for (const name of names.sort()) {
    if (name.startsWith(LOG_FILE) && name.endsWith('.torn')) {
      yield note(
        'torn-file',
        name,
        `${name} holds a torn tail that was set aside; it was never acknowledged.`,
      );
    }
  }
}

/** The state that was reached by executing every frame; undefined once a frame could not be followed. */
export type ReachedState = {
  readonly height: number;
  readonly frameHash: Uint8Array;
  readonly values: StateValues;
  readonly state: LedgerState;
};

class Audit {
  readonly #options: VerifyLedgerOptions;
  readonly #values = memoryValues();
  readonly #state = new LedgerState(this.#values);
  #genesis: Genesis | undefined;
  #chainId: Uint8Array = new Uint8Array(0);
  #lastFrameHash: Uint8Array = new Uint8Array(0);
  #canExecute = true;

  constructor(options: VerifyLedgerOptions) {
    this.#options = options;
  }

  get reached(): ReachedState | undefined {
    if (!this.#canExecute || this.#genesis === undefined) return undefined;
    return {
      height: this.#state.height,
      frameHash: this.#lastFrameHash,
      values: this.#values,
      state: this.#state,
    };
  }

  /** After a frame that could not be read nothing can be executed any more, only checked for itself. */
  *check(frame: Frame, follows: boolean): Generator<Finding> {
    this.#canExecute &&= follows;
    try {
      const record = decodeRecord(frame.payload);
      if (frame.height === 0) yield* this.#checkGenesis(frame, record);
      else if (this.#canExecute) yield* this.#checkBlock(frame, record);
      if (this.#genesis !== undefined) yield* this.#checkCheckpoint(frame, record.seal, this.#genesis);
    } catch (cause) {
      if (!(cause instanceof DecodeError) && !(cause instanceof LedgerDamageError)) throw cause;
      this.#canExecute = false;
      yield finding('record-invalid', frame, cause instanceof LedgerDamageError ? cause.what : cause.message);
    }
    this.#lastFrameHash = frame.hash.slice();
  }

  *#checkGenesis(frame: Frame, record: BlockRecord): Generator<Finding> {
    const genesis = decodeGenesis(record.body);
    if (record.kind !== 'genesis' || !genesis.ok)
      throw new LedgerDamageError('the first frame does not hold a genesis', { file: LOG_FILE, offset: 0 });
    this.#genesis = genesis.value;
    this.#chainId = chainIdOf(genesis.value);
    const { chainId } = this.#options;
    if (chainId !== undefined && !equalBytes(chainId, this.#chainId)) {
      yield finding('genesis-mismatch', frame, `this is the ledger of chain ${toHex(this.#chainId)}`);
    }
    const staged = this.#state.stage({
      timeMs: genesis.value.timeMs,
      leaves: [],
      writes: genesisState(genesis.value),
    });
    yield* this.#commit(frame, record.seal, staged, []);
  }

  *#checkBlock(frame: Frame, record: BlockRecord): Generator<Finding> {
    const { block, transactions, codes, seal } = openRecord(record, frame, this.#state.seal);
    const input = {
      state: this.#values,
      chainId: this.#chainId,
      contracts: CONTRACTS,
      verify: verifySignature,
    };
    const output = executeBlock({
      ...input,
      height: block.height,
      timeMs: block.timeMs,
      transactions: block.transactions,
    });
    for (const [index, { code }] of output.results.entries()) {
      if (code !== codes[index])
        yield finding(
          'execution-differs',
          frame,
          `transaction ${index} gives result ${code}, recorded is ${codes[index]}`,
        );
    }
    const staged = this.#state.stage({
      timeMs: block.timeMs,
      leaves: output.leaves,
      writes: output.stateWrites,
    });
    yield* this.#commit(
      frame,
      seal,
      staged,
      transactions.map(({ header }) => transactionId(header)),
    );
    if (!this.#canExecute) return;
    const checked = transactions.map((transaction, index) => ({
      transaction,
      code: codes[index] as ResultCode,
    }));
    this.#options.onBlock?.(frame.height, checked);
  }

  *#commit(frame: Frame, seal: Seal, staged: StagedBlock, ids: readonly Uint8Array[]): Generator<Finding> {
    if (equalBytes(staged.seal.appHash, seal.appHash)) {
      staged.commit(frame, seal.checkpoint, ids);
      return;
    }
    staged.discard();
    this.#canExecute = false;
    yield finding('execution-differs', frame, 'the block leads to another state than was recorded');
  }

  *#checkCheckpoint(frame: Frame, seal: Seal, genesis: Genesis): Generator<Finding> {
    const verified = verifyCheckpoint(seal.checkpoint, this.#chainId, {
      operatorKey: this.#options.headKey ?? genesis.operatorKey,
    });
    if (!verified.ok) {
      yield finding('checkpoint-invalid', frame, `the checkpoint is not valid: ${verified.error}`);
      return;
    }
    const { height, timeMs, logSize, logRoot, stateRoot } = verified.value.checkpoint;
    const isOfThisBlock = height === frame.height && timeMs === seal.timeMs && logSize === seal.logSize;
    if (isOfThisBlock && equalBytes(logRoot, seal.logRoot) && equalBytes(stateRoot, seal.stateRoot)) return;
    yield finding('checkpoint-invalid', frame, 'the checkpoint is of another head');
  }
}

function finding(code: Finding['code'], frame: Frame, what: string): Finding {
  const message = `${LOG_FILE} at byte ${frame.offset} (height ${frame.height}): ${what}.`;
  return damage(code, LOG_FILE, message, { offset: frame.offset, height: frame.height });
}
