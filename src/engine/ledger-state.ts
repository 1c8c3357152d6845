import { appHash, type StagedState, StateTree, type StateWrite, verifyStateProof } from '../ledger/index.ts';
import { leafHash, MerkleLog } from '../shared/index.ts';
import type { Seal } from './block-record.ts';
import type { Frame } from './frame.ts';
import { NumberColumn } from './growable.ts';
import type { StateValues } from './state-values.ts';
import { TransactionIndex } from './transaction-index.ts';

/** A seal that the operator has not signed yet. */
export type UnsignedSeal = Omit<Seal, 'checkpoint'>;

/** Where a block stands in the log, and which leaf its first transaction has. */
export type BlockPlace = { readonly offset: number; readonly end: number; readonly firstLeaf: number };

export type StagedBlock = {
  readonly seal: UnsignedSeal;
  /** Takes the block over; only after it is durable. */
  commit(frame: Frame, checkpoint: string, transactionIds: readonly Uint8Array[]): void;
  discard(): void;
};

type BlockEffects = {
  readonly timeMs: number;
  readonly leaves: readonly Uint8Array[];
  readonly writes: readonly StateWrite[];
};

/** What a node knows at the last committed height, all of it derived from the log. */
export class LedgerState {
  readonly tree = new StateTree();
  readonly history = new MerkleLog();
  readonly transactions = new TransactionIndex();
  readonly values: StateValues;
  readonly #offsets = new NumberColumn();
  readonly #ends = new NumberColumn();
  readonly #firstLeaves = new NumberColumn();
  #seal: Seal | undefined;

  constructor(values: StateValues) {
    this.values = values;
    values.confirmAbsenceWith((key) =>
      verifyStateProof(this.tree.root, key, undefined, this.tree.prove(key, values)),
    );
  }

  /** The last committed height; -1 before the genesis. */
  get height(): number {
    return this.#offsets.length - 1;
  }

  get seal(): Seal {
    if (this.#seal === undefined) throw new Error('The ledger has not been read yet.');
    return this.#seal;
  }

  /** Computes the next block's head; nothing that readers see changes before `commit`. */
  stage(effects: BlockEffects): StagedBlock {
    const height = this.height + 1;
    const sizeBefore = this.history.size;
    // The tree first, because it throws where another block is staged already.
    const staged = this.tree.stage(effects.writes);
    for (const leaf of effects.leaves) this.history.append(leafHash(leaf));
    const seal = this.#sealOf(height, effects.timeMs, staged.root);
    return {
      seal,
      commit: (frame, checkpoint, transactionIds) => {
        staged.commit();
        this.values.apply({ height, frameHash: frame.hash.slice() }, effects.writes);
        this.#append(
          { offset: frame.offset, end: frame.end, firstLeaf: sizeBefore },
          { ...seal, checkpoint },
          transactionIds,
        );
      },
      discard: () => this.#discard(staged, sizeBefore),
    };
  }

  /** Takes over a block whose state is known from the index: its leaves count, its state is not computed again. */
  skip(frame: Frame, seal: Seal, leaves: readonly Uint8Array[], transactionIds: readonly Uint8Array[]): void {
    const firstLeaf = this.history.size;
    for (const leaf of leaves) this.history.append(leafHash(leaf));
    this.#append({ offset: frame.offset, end: frame.end, firstLeaf }, seal, transactionIds);
  }

  placeOf(height: number): BlockPlace | undefined {
    const offset = this.#offsets.at(height);
    if (offset === undefined) return undefined;
    return {
      offset,
      end: this.#ends.at(height) as number,
      firstLeaf: this.#firstLeaves.at(height) as number,
    };
  }

  /** The height of the block that a leaf is in. */
  heightOfLeaf(leafIndex: number): number | undefined {
    if (!Number.isSafeInteger(leafIndex) || leafIndex < 0 || leafIndex >= this.seal.logSize) return undefined;
    return this.#firstLeaves.lastAtMost(leafIndex);
  }

  #sealOf(height: number, timeMs: number, stateRoot: Uint8Array): UnsignedSeal {
    const logSize = this.history.size;
    const logRoot = this.history.root();
    return { timeMs, logSize, logRoot, stateRoot, appHash: appHash({ height, logSize, logRoot, stateRoot }) };
  }

  #append(place: BlockPlace, seal: Seal, transactionIds: readonly Uint8Array[]): void {
    for (const [index, id] of transactionIds.entries()) this.transactions.add(id, place.firstLeaf + index);
    this.#offsets.push(place.offset);
    this.#ends.push(place.end);
    this.#firstLeaves.push(place.firstLeaf);
    this.#seal = seal;
  }

  #discard(staged: StagedState, sizeBefore: number): void {
    staged.discard();
    this.history.truncate(sizeBefore);
  }
}
