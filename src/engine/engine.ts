import type { Block, StateProof, TransactionResult } from '../ledger/index.ts';
import type { Recovery } from './block-log.ts';
import type { StateWrite } from './state-batch.ts';

/** Where a transaction was recorded, and with which result. */
export type Committed = {
  readonly height: number;
  readonly index: number;
  readonly transactionId: Uint8Array;
  readonly code: number;
  readonly leafIndex: number;
};

/** The last acknowledged block. */
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

export type RecordedBlock = { readonly block: Block; readonly results: readonly TransactionResult[]; readonly firstLeaf: number; readonly head: Head };
export type RecordedTransaction = Committed & { readonly transaction: Uint8Array };
export type CommitListener = (block: Block, results: readonly TransactionResult[], writes: readonly StateWrite[]) => void;
