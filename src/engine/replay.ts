import {
  appHash,
  type Block,
  decodeBlock,
  decodeTransaction,
  encodeGenesis,
  executeBlock,
  logLeaf,
  RESULT_CODES,
  type ResultCode,
  resultName,
  type Transaction,
  transactionId,
} from '../ledger/index.ts';
import { AppError, DecodeError, equalBytes } from '../shared/index.ts';
import { LOG_FILE } from './block-log.ts';
import { type BlockRecord, decodeRecord, type Seal } from './block-record.ts';
import type { ChainRules } from './chain-rules.ts';
import { LedgerDamageError } from './damage.ts';
import type { Frame } from './frame.ts';
import type { LedgerState, StagedBlock } from './ledger-state.ts';
import type { IndexMark } from './state-batch.ts';

/** A decoded block with what a replay needs of each transaction. */
export type ReplayedBlock = {
  readonly block: Block;
  readonly transactions: readonly Transaction[];
  readonly codes: readonly ResultCode[];
  readonly seal: Seal;
};

/** State values as of one block, believed once their root is the one that block recorded. */
export type StateSnapshot = {
  readonly mark: IndexMark;
  entries(): Iterable<readonly [Uint8Array, Uint8Array]>;
};

/** The index does not belong to this log, or not to this place in it; it has to be built anew. */
export class IndexMismatchError extends Error {}

const STAGE_ENTRIES = 20_000;

/**
 * Brings the state up to each frame of the log in turn, and checks that it reaches what the frame recorded. Signatures are
 * not verified again: the frames are hash-chained, and an audit verifies them.
 */
export async function replayFrame(
  state: LedgerState,
  rules: ChainRules,
  frame: Frame,
  snapshot: StateSnapshot | undefined,
): Promise<void> {
  const record = decodedRecord(frame);
  if (snapshot !== undefined && frame.height <= snapshot.mark.height) {
    skipFrame(state, rules, frame, record);
    if (frame.height === snapshot.mark.height) loadSnapshot(state, snapshot, frame);
    return;
  }
  await state.values.ready();
  if (frame.height === 0) replayGenesis(state, rules, frame, record);
  else replayBlock(state, rules, frame, record);
}

function replayGenesis(state: LedgerState, rules: ChainRules, frame: Frame, record: BlockRecord): void {
  checkGenesis(rules, record);
  const staged = state.stage({
    timeMs: rules.genesis.timeMs,
    leaves: [],
    writes: rules.genesisState(rules.genesis),
  });
  commitIfAsRecorded(staged, frame, record.seal, []);
}

function replayBlock(state: LedgerState, rules: ChainRules, frame: Frame, record: BlockRecord): void {
  const { block, transactions, codes, seal } = openRecord(record, frame, state.seal);
  const input = {
    state: state.values,
    chainId: rules.chainId,
    contracts: rules.contracts,
    verify: () => true,
  };
  const output = executeBlock({
    ...input,
    height: block.height,
    timeMs: block.timeMs,
    transactions: block.transactions,
  });
  if (output.results.some(({ code }, index) => code !== codes[index]))
    throw damaged(frame, 'a transaction gives another result than was recorded');
  const staged = state.stage({ timeMs: block.timeMs, leaves: output.leaves, writes: output.stateWrites });
  commitIfAsRecorded(
    staged,
    frame,
    seal,
    transactions.map(({ header }) => transactionId(header)),
  );
}

function commitIfAsRecorded(
  staged: StagedBlock,
  frame: Frame,
  seal: Seal,
  transactionIds: readonly Uint8Array[],
): void {
  if (!equalBytes(staged.seal.appHash, seal.appHash)) {
    staged.discard();
    throw damaged(frame, 'the block leads to another state than was recorded');
  }
  staged.commit(frame, seal.checkpoint, transactionIds);
}

function skipFrame(state: LedgerState, rules: ChainRules, frame: Frame, record: BlockRecord): void {
  if (frame.height === 0) {
    checkGenesis(rules, record);
    state.skip(frame, record.seal, [], []);
    return;
  }
  const { transactions, codes, block, seal } = openRecord(record, frame, state.seal);
  const leaves = transactions.map((transaction, index) =>
    leafOf(block, index, transaction, codes[index] as ResultCode),
  );
  state.skip(
    frame,
    seal,
    leaves,
    transactions.map(({ header }) => transactionId(header)),
  );
  const { logSize, logRoot, stateRoot } = seal;
  const isAsRecorded = state.history.size === logSize && equalBytes(state.history.root(), logRoot);
  if (
    !isAsRecorded ||
    !equalBytes(appHash({ height: frame.height, logSize, logRoot, stateRoot }), seal.appHash)
  ) {
    throw damaged(frame, 'the block leads to another history than was recorded');
  }
}

/** The history leaf of a transaction of a block. */
export function leafOf(block: Block, index: number, transaction: Transaction, code: ResultCode): Uint8Array {
  return logLeaf({ height: block.height, index, timeMs: block.timeMs }, transaction, { code });
}

/** Fills the tree from the index; the root it gives decides whether the index is believed. */
function loadSnapshot(state: LedgerState, snapshot: StateSnapshot, frame: Frame): void {
  if (!equalBytes(snapshot.mark.frameHash, frame.hash))
    throw new IndexMismatchError('the index is of another log');
  let chunk: [Uint8Array, Uint8Array][] = [];
  const stageChunk = (): void => {
    state.tree.stage(chunk).commit();
    chunk = [];
  };
  try {
    for (const [key, value] of snapshot.entries()) {
      chunk.push([key, value]);
      if (chunk.length === STAGE_ENTRIES) stageChunk();
    }
  } catch (cause) {
    throw new IndexMismatchError('the index cannot be read', { cause });
  }
  stageChunk();
  if (!equalBytes(state.tree.root, state.seal.stateRoot))
    throw new IndexMismatchError('the index does not give the recorded state root');
}

function checkGenesis(rules: ChainRules, record: BlockRecord): void {
  if (record.kind === 'genesis' && equalBytes(record.body, encodeGenesis(rules.genesis))) return;
  throw new AppError(
    'wrong-genesis',
    'This ledger folder begins with another genesis. Use the genesis it was created with, or another folder.',
  );
}

function decodedRecord(frame: Frame): BlockRecord {
  try {
    return decodeRecord(frame.payload);
  } catch (cause) {
    if (cause instanceof DecodeError) throw damaged(frame, cause.message);
    throw cause;
  }
}

/** Decodes the block of a frame and checks that it belongs after the block before. */
export function openRecord(record: BlockRecord, frame: Frame, previous: Seal): ReplayedBlock {
  const block = record.kind === 'block' ? decodeBlock(record.body) : undefined;
  if (block === undefined || !block.ok) throw damaged(frame, 'the frame does not hold a block');
  const { height, timeMs, previousAppHash, transactions } = block.value;
  if (
    height !== frame.height ||
    timeMs !== record.seal.timeMs ||
    timeMs < previous.timeMs ||
    !equalBytes(previousAppHash, previous.appHash)
  ) {
    throw damaged(frame, 'the block does not follow the one before it');
  }
  return {
    block: block.value,
    transactions: transactions.map((bytes) => decodedTransaction(bytes, frame)),
    codes: knownCodes(record, transactions.length, frame),
    seal: record.seal,
  };
}

function decodedTransaction(bytes: Uint8Array, frame: Frame): Transaction {
  const transaction = decodeTransaction(bytes);
  if (!transaction.ok) throw damaged(frame, `a transaction cannot be decoded: ${transaction.error.message}`);
  return transaction.value;
}

function knownCodes(record: BlockRecord, count: number, frame: Frame): ResultCode[] {
  if (record.codes.length !== count) throw damaged(frame, 'there are not as many results as transactions');
  return record.codes.map((code) => {
    const name = resultName(code);
    if (name === undefined) throw damaged(frame, `result code ${code} is not known to this version`);
    return RESULT_CODES[name];
  });
}

function damaged(frame: Frame, what: string): LedgerDamageError {
  return new LedgerDamageError(what, { file: LOG_FILE, offset: frame.offset, height: frame.height });
}
