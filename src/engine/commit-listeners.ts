import type { Block, BlockOutput } from '../ledger/index.ts';
import { AppError } from '../shared/index.ts';
import type { CommitListener } from './engine.ts';

/** The views that are told of each block. */
export class CommitListeners {
  readonly #listeners = new Set<CommitListener>();

  add(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Returns why nothing may go on: a view that missed a block would answer from an older state. */
  tell(block: Block, output: BlockOutput): AppError | undefined {
    try {
      for (const listener of this.#listeners) listener(block, output.results, output.stateWrites);
      return undefined;
    } catch (cause) {
      return new AppError(
        'internal',
        'A view of the ledger failed. Restart the node; what was acknowledged is recorded.',
        { cause },
      );
    }
  }
}
