import {
  type Block,
  decodeBlock,
  decodeTransaction,
  RESULT_CODES,
  resultName,
  type Transaction,
  type TransactionResult,
  transactionId,
} from '../ledger/index.ts';
import { equalBytes } from '../shared/index.ts';
import { type BlockLog, LOG_FILE } from './block-log.ts';
import { decodeRecord } from './block-record.ts';
import { LedgerDamageError } from './damage.ts';
import type { Head, RecordedBlock, RecordedTransaction, StateAnswer } from './engine.ts';
import type { BlockPlace, LedgerState } from './ledger-state.ts';
import { leafOf } from './replay.ts';

const HASH_BYTES = 32;

/** Answers questions about what was committed; blocks are read from the log and checked again. */
export class LedgerReader {
  readonly #state: LedgerState;
  readonly #log: BlockLog;

  constructor(state: LedgerState, log: BlockLog) {
    this.#state = state;
    this.#log = log;
  }

  head(): Head {
    return { height: this.#state.height, ...this.#state.seal };
  }

  stateProof(key: Uint8Array): StateAnswer {
    const { values, tree } = this.#state;
    return { head: this.head(), value: values.get(key), proof: tree.prove(key, values) };
  }

  inclusionProof(leafIndex: number, size = this.#state.seal.logSize): Uint8Array[] | undefined {
    if (!isSize(size, this.#state.seal.logSize) || !isSize(leafIndex, size - 1)) return undefined;
    return this.#state.history.inclusionProof(leafIndex, size);
  }

  consistencyProof(fromSize: number, toSize = this.#state.seal.logSize): Uint8Array[] | undefined {
    if (!isSize(toSize, this.#state.seal.logSize) || !isSize(fromSize, toSize)) return undefined;
    return this.#state.history.consistencyProof(fromSize, toSize);
  }

  async block(height: number): Promise<RecordedBlock | undefined> {
    const place = this.#state.placeOf(height);
    if (place === undefined || height === 0) return undefined;
    const frame = await this.#log.read(place.offset, place.end, height);
    return recordedBlock(frame.payload, place, height);
  }

  async *blocks(fromHeight = 1): AsyncGenerator<RecordedBlock> {
    const last = this.#state.height;
    for (let height = Math.max(1, fromHeight); height <= last; height++) {
      const block = await this.block(height);
      if (block !== undefined) yield block;
    }
  }

  async transaction(id: Uint8Array): Promise<RecordedTransaction | undefined> {
    if (id.length !== HASH_BYTES) return undefined;
    for (const leafIndex of this.#state.transactions.candidates(id)) {
      const found = await this.#transactionAt(leafIndex);
      if (found !== undefined && equalBytes(found.transactionId, id)) return found;
    }
    return undefined;
  }

  async leaf(leafIndex: number): Promise<Uint8Array | undefined> {
    const recorded = await this.#blockOfLeaf(leafIndex);
    if (recorded === undefined) return undefined;
    const index = leafIndex - recorded.firstLeaf;
    const result = recorded.results[index] as TransactionResult;
    return leafOf(recorded.block, index, decoded(recorded.block, index), result.code);
  }

  async #transactionAt(leafIndex: number): Promise<RecordedTransaction | undefined> {
    const recorded = await this.#blockOfLeaf(leafIndex);
    if (recorded === undefined) return undefined;
    const { block, results, firstLeaf } = recorded;
    const index = leafIndex - firstLeaf;
    const { header } = decoded(block, index);
    const code = results[index]?.code ?? 0;
    const transaction = block.transactions[index] as Uint8Array;
    return {
      height: block.height,
      index,
      transactionId: transactionId(header),
      code,
      leafIndex,
      transaction,
      timeMs: block.timeMs,
    };
  }

  async #blockOfLeaf(leafIndex: number): Promise<RecordedBlock | undefined> {
    const height = this.#state.heightOfLeaf(leafIndex);
    return height === undefined ? undefined : this.block(height);
  }
}

function recordedBlock(payload: Uint8Array, place: BlockPlace, height: number): RecordedBlock {
  const { body, codes, seal } = decodeRecord(payload);
  const block = decodeBlock(body);
  if (!block.ok)
    throw new LedgerDamageError(block.error.message, { file: LOG_FILE, offset: place.offset, height });
  return {
    block: block.value,
    results: codes.map(resultOf),
    firstLeaf: place.firstLeaf,
    head: { height, ...seal },
  };
}

function resultOf(code: number): TransactionResult {
  const name = resultName(code);
  if (name === undefined) throw new RangeError(`result code ${code} was known when the ledger was opened`);
  return { code: RESULT_CODES[name] };
}

function decoded(block: Block, index: number): Transaction {
  const transaction = decodeTransaction(block.transactions[index] as Uint8Array);
  if (!transaction.ok) throw transaction.error;
  return transaction.value;
}

function isSize(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max;
}
