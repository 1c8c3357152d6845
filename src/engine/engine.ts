import type { Block, StateProof, StateReader, StateWrite, TransactionResult } from '../ledger/index.ts';
import type { Recovery } from './block-log.ts';

/** Where a transaction was recorded, and with which result. */
export type Committed = {
  readonly height: number;
  readonly index: number;
  readonly transactionId: Uint8Array;
  /** One of the ledger's RESULT_CODES; 0 where the contract applied it. */
  readonly code: number;
  readonly leafIndex: number;
};

/** The head after a block. */
export type Head = {
  readonly height: number;
  readonly timeMs: number;
  readonly logSize: number;
  readonly logRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly appHash: Uint8Array;
  /** The operator's signed note over this head (C2SP tlog-checkpoint). */
  readonly checkpoint: string;
};

export type RecordedBlock = {
  readonly block: Block;
  readonly results: readonly TransactionResult[];
  /** The history leaf of the block's first transaction; the others follow. */
  readonly firstLeaf: number;
  readonly head: Head;
};

export type RecordedTransaction = Committed & { readonly transaction: Uint8Array; readonly timeMs: number };

export type StateAnswer = {
  readonly head: Head;
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
};

export type CommitListener = (
  block: Block,
  results: readonly TransactionResult[],
  writes: readonly StateWrite[],
) => void;

/** The port of every engine: it orders transactions, makes them durable, and proves what it recorded. */
export type Engine = {
  readonly chainId: Uint8Array;
  /** What opening had to mend. */
  readonly recovery: Recovery;
  /**
   * Resolves once the transaction is durable. The same transaction again gets the same answer. Rejects with
   * TransactionRefusedError where it may not enter a block, and with AppError `busy`, `disk-full`, `closed` or `storage-failed`.
   */
  submit(transaction: Uint8Array): Promise<Committed>;
  head(): Head;
  /** The state at the head. */
  readonly state: StateReader;
  stateProof(key: Uint8Array): StateAnswer;
  /** RFC 9162, for a leaf in the history of that size; undefined where there is no such leaf or size. */
  inclusionProof(leafIndex: number, size?: number): Uint8Array[] | undefined;
  consistencyProof(fromSize: number, toSize?: number): Uint8Array[] | undefined;
  transaction(transactionId: Uint8Array): Promise<RecordedTransaction | undefined>;
  block(height: number): Promise<RecordedBlock | undefined>;
  /** The bytes of a history leaf. */
  leaf(leafIndex: number): Promise<Uint8Array | undefined>;
  /** Every block from a height on, up to the head at the time of the call; for views that are built anew at a start. */
  blocks(fromHeight?: number): AsyncGenerator<RecordedBlock>;
  /** Called synchronously for each block, once it is durable and before anybody is told. Returns what removes it. */
  onCommit(listener: CommitListener): () => void;
  /** Copies what is acknowledged into an empty folder while the engine runs. */
  backup(folder: string): Promise<void>;
  /** Waits for what was accepted, then lets go of the folder. */
  close(): Promise<void>;
};
