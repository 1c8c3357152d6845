import { type ValidatorUpdate, validatorUpdatesOf } from '../../contracts/index.ts';
import {
  type Block,
  type BlockOutput,
  encodeBlock,
  encodedTransactionId,
  executeBlock,
  requireKnownVersion,
  type VerifySignature,
} from '../../ledger/index.ts';
import { AppError, equalBytes } from '../../shared/index.ts';
import { type BlockLog, SyncFailedError } from '../block-log.ts';
import { encodeRecord } from '../block-record.ts';
import type { ChainRules } from '../chain-rules.ts';
import { CommitListeners } from '../commit-listeners.ts';
import type { CommitListener } from '../engine.ts';
import type { LedgerState, StagedBlock } from '../ledger-state.ts';
import { isAdmissionRefusal } from '../transaction-refused.ts';
import { type ConsensusHeadSigner, consensusHeightOf } from './consensus-head.ts';
import { MAX_RECENT_BLOCKS, type RecentBlock, workOf } from './proposal-pace.ts';
import type { VerifiedSignatures } from './verified-signatures.ts';

/** Results of blocks that were executed for a proposal, kept until one of them is decided. */
const MAX_EXECUTED = 4;

export type Executed = {
  readonly block: Block;
  readonly output: BlockOutput;
  /** Whether every transaction may stand in a block, as the embedded engine would have it. */
  readonly isAdmissible: boolean;
};
export type CommittedBlock = {
  readonly block: Block;
  readonly output: BlockOutput;
  readonly firstLeaf: number;
  readonly transactionIds: readonly Uint8Array[];
};

/** A block as a snapshot has it. */
type AgreedBlock = {
  readonly height: number;
  readonly timeMs: number;
  readonly transactions: readonly Uint8Array[];
  readonly codes: readonly number[];
};

type Decided = { readonly consensusHeight: number } & (
  | { readonly isEmpty: true }
  | (Executed & { readonly isEmpty: false; readonly staged: StagedBlock })
);

type ChainParts = {
  readonly log: BlockLog;
  readonly state: LedgerState;
  readonly rules: ChainRules;
  readonly signatures: VerifiedSignatures;
  readonly signHead: ConsensusHeadSigner;
};

/**
 * The ledger as consensus drives it. A block of the consensus engine with transactions is the next block of the ledger;
 * one without changes nothing, so an idle chain comes to rest and the ledger's blocks are those of the embedded engine.
 */
export class ConsensusChain {
  readonly parts: ChainParts;
  readonly #listeners = new CommitListeners();
  #executed: Executed[] = [];
  #decided: Decided | undefined;
  #consensusHeight: number;
  #recordedConsensusHeight: number;
  #failure: AppError | undefined;
  #upgradeNeeded: AppError | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #commits = 0;
  #recentBlocks: readonly RecentBlock[] = [];

  constructor(parts: ChainParts) {
    this.parts = parts;
    const { state } = parts;
    this.#consensusHeight = state.height === 0 ? 0 : (consensusHeightOf(state.seal.checkpoint) ?? 0);
    this.#recordedConsensusHeight = this.#consensusHeight;
    this.#upgradeNeeded = this.#unknownRules();
  }

  /** The height of the last block of the consensus engine that is taken over. */
  get consensusHeight(): number {
    return this.#consensusHeight;
  }

  /** The last block of the consensus engine that a block of the ledger came from: where a restart begins. */
  get recordedConsensusHeight(): number {
    return this.#recordedConsensusHeight;
  }

  /** The height that the next block of the ledger has. */
  get nextHeight(): number {
    return this.parts.state.height + 1;
  }

  /** The last blocks since the start, oldest first. */
  get recentBlocks(): readonly RecentBlock[] {
    return this.#recentBlocks;
  }

  /** How many blocks were taken over since the start, those without transactions too. */
  get commits(): number {
    return this.#commits;
  }

  /** Why nothing can be recorded any more, or not before another version of this software runs. */
  get failure(): AppError | undefined {
    return this.#failure ?? this.#upgradeNeeded;
  }

  onCommit(listener: CommitListener): () => void {
    return this.#listeners.add(listener);
  }

  /** What a block of these transactions would do. A pure function of the state; nothing is changed. */
  execute(timeMs: number, transactions: readonly Uint8Array[]): Executed {
    const known = this.#executed.find(
      ({ block }) =>
        block.height === this.nextHeight &&
        block.timeMs === timeMs &&
        areEqual(block.transactions, transactions),
    );
    if (known !== undefined) return known;
    const executed = this.#run(timeMs, transactions, this.parts.signatures.verify);
    this.#executed = [...this.#executed.slice(1 - MAX_EXECUTED), executed];
    return executed;
  }

  #run(timeMs: number, transactions: readonly Uint8Array[], verify: VerifySignature): Executed {
    const { state, rules } = this.parts;
    const { chainId, contracts } = rules;
    const height = this.nextHeight;
    const output = executeBlock({
      state: state.values,
      chainId,
      contracts,
      verify,
      height,
      timeMs,
      transactions,
    });
    const block = { height, timeMs, previousAppHash: state.seal.appHash, transactions };
    const isAdmissible = !output.results.some(({ code }) => isAdmissionRefusal(code));
    return { block, output, isAdmissible };
  }

  /** Takes a decided block and computes its head, all in memory. Another decided before it and not committed is dropped. */
  decide(consensusHeight: number, timeMs: number, transactions: readonly Uint8Array[]): DecidedBlock {
    if (this.#failure !== undefined) throw this.#failure;
    this.#dropDecided();
    this.#checkFollows(consensusHeight);
    const { seal } = this.parts.state;
    if (transactions.length === 0) {
      this.#decided = { consensusHeight, isEmpty: true };
      return { appHash: seal.appHash, output: undefined, validatorUpdates: [] };
    }
    const executed = this.execute(timeMs, transactions);
    if (!executed.isAdmissible) throw inadmissibleBlock(consensusHeight);
    const { leaves, stateWrites: writes } = executed.output;
    const validatorUpdates = validatorUpdatesOf(this.parts.state.values, writes);
    const staged = this.parts.state.stage({ timeMs, leaves, writes });
    this.#decided = { consensusHeight, isEmpty: false, ...executed, staged };
    return { appHash: staged.seal.appHash, output: executed.output, validatorUpdates };
  }

  /** The only write, but for `restore`: one frame, durable before this resolves. */
  async commit(): Promise<CommittedBlock | undefined> {
    const decided = this.#decided;
    if (decided === undefined) throw new Error('There is no decided block to commit.');
    if (this.#failure !== undefined) throw this.#failure;
    const committed = decided.isEmpty ? undefined : await this.#record(decided);
    this.#decided = undefined;
    this.#executed = [];
    this.#consensusHeight = decided.consensusHeight;
    this.#commits += 1;
    return committed;
  }

  /**
   * Runs and records the next block of a snapshot, whose transactions, signatures and results the consortium's history vouches for.
   * The consensus height is known of the last one only; it is 0 for the others.
   */
  async restore(agreed: AgreedBlock, consensusHeight: number): Promise<CommittedBlock> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#dropDecided();
    this.#executed = [];
    await this.parts.state.values.ready();
    const executed = this.#run(agreed.timeMs, agreed.transactions, () => true);
    const { results, leaves, stateWrites: writes } = executed.output;
    if (results.some(({ code }, index) => code !== agreed.codes[index])) throw otherRules(agreed.height);
    const staged = this.parts.state.stage({ timeMs: agreed.timeMs, leaves, writes });
    const decided = { consensusHeight, isEmpty: false, ...executed, staged } as const;
    const committed = await this.#record(decided).catch((cause) => {
      if (this.nextHeight === agreed.height) staged.discard();
      throw cause;
    });
    this.#consensusHeight = consensusHeight;
    this.#commits += 1;
    return committed;
  }

  /**
   * Runs one at a time, over all connections, what says or changes how far the ledger is. A consensus engine that was started again
   * asks on new connections while what it asked for before may still be on its way to the disk.
   */
  inTurn<Value>(run: () => Value | Promise<Value>): Promise<Value> {
    const turn = this.#lastTurn.then(run);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when every turn that was asked for is over. */
  async settled(): Promise<void> {
    await this.#lastTurn;
  }

  async #record(decided: Decided & { readonly isEmpty: false }): Promise<CommittedBlock> {
    const { block, output, staged, consensusHeight } = decided;
    const { log, state, signHead } = this.parts;
    await state.values.ready();
    const checkpoint = signHead(block.height, staged.seal, consensusHeight);
    const payload = encodeRecord({
      kind: 'block',
      body: encodeBlock(block),
      codes: output.results.map(({ code }) => code),
      seal: { ...staged.seal, checkpoint },
    });
    const frame = await log.append(block.height, payload).catch((cause) => {
      if (cause instanceof SyncFailedError) this.#failure = cause;
      throw cause;
    });
    const firstLeaf = state.seal.logSize;
    const transactionIds = block.transactions.map(encodedTransactionId);
    staged.commit(frame, checkpoint, transactionIds);
    this.#recordedConsensusHeight = consensusHeight;
    const work = block.transactions.reduce((sum, bytes) => sum + workOf(bytes), 0);
    const decidedNow = { work, timeMs: block.timeMs };
    this.#recentBlocks = [...this.#recentBlocks.slice(1 - MAX_RECENT_BLOCKS), decidedNow];
    this.#upgradeNeeded = this.#unknownRules();
    this.#notify(decided);
    return { block, output, firstLeaf, transactionIds };
  }

  /** Known before a block needs other rules, so that nobody waits for it. Executing one throws the same. */
  #unknownRules(): AppError | undefined {
    try {
      requireKnownVersion(this.parts.state.values, this.nextHeight, this.parts.rules.contracts.newestVersion);
      return undefined;
    } catch (cause) {
      if (cause instanceof AppError && cause.code === 'upgrade-needed') return cause;
      throw cause;
    }
  }

  /** A view that missed a block would answer from an older state, so the chain stops rather than go on without it. */
  #notify({ block, output }: Executed): void {
    const failure = this.#listeners.tell(block, output);
    if (failure === undefined) return;
    this.#failure = failure;
    throw failure;
  }

  #dropDecided(): void {
    if (this.#decided?.isEmpty === false) this.#decided.staged.discard();
    this.#decided = undefined;
  }

  /** Blocks without transactions are not recorded, so after a restart the consensus engine may give them again. */
  #checkFollows(consensusHeight: number): void {
    if (consensusHeight === this.#consensusHeight + 1) return;
    throw new AppError(
      'damaged',
      `The consensus engine is at block ${consensusHeight} and the ledger after block ${this.#consensusHeight}. ` +
        'They do not belong together: restore both from one backup, or remove both and let the node join again.',
    );
  }
}

export type DecidedBlock = {
  readonly appHash: Uint8Array;
  readonly output: BlockOutput | undefined;
  /** What the consensus engine has to change in its set of validators. */
  readonly validatorUpdates: readonly ValidatorUpdate[];
};

/** Every honest validator refuses such a proposal, so it is decided only where more than a third are not honest. */
function inadmissibleBlock(consensusHeight: number): AppError {
  return new AppError(
    'damaged',
    `Block ${consensusHeight} was decided with a transaction that may not stand in a block. A third of the validators or more do not follow the protocol: stop, and compare the organisations' software.`,
  );
}

function otherRules(height: number): AppError {
  return new AppError(
    'damaged',
    `This software gives another result for block ${height} than the consortium recorded. Run the version that the other organisations run.`,
  );
}

function areEqual(left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean {
  return (
    left.length === right.length &&
    left.every((bytes, index) => equalBytes(bytes, right[index] as Uint8Array))
  );
}
