import type { PendingCommitment, RecordKey, Vault } from '../../vault/index.ts';
import { createBatcher } from './batcher.ts';

/** Marks versions as anchored in the vault, many at once. */
export interface AnchoredMarks {
  /** Resolves when they are marked, or the failure is kept for `again`. */
  make(versions: readonly PendingCommitment[]): Promise<void>;
  /** Makes the marks that failed. */
  again(): Promise<void>;
  idle(): Promise<void>;
  /** Why a mark is missing, of a version that is on the ledger; undefined where none is. */
  readonly failure: unknown;
}

/** A mark that cannot be made is made later: the version is on the ledger, and is not to go there twice. */
export function createAnchoredMarks(options: {
  maxBatch: number;
  maxWaiting: number;
  markAnchored: Vault['markAnchored'];
  onFailure: () => void;
}): AnchoredMarks {
  const missing: { keys: RecordKey[]; cause: unknown }[] = [];
  const batcher = createBatcher<RecordKey>({ ...options, flush: options.markAnchored });
  const mark = async (keys: RecordKey[]): Promise<void> => {
    try {
      await batcher.add(keys);
    } catch (cause) {
      missing.push({ keys, cause });
      options.onFailure();
    }
  };
  return {
    make: (versions) => mark(versions.map(({ key }) => key)),
    async again() {
      await Promise.all(missing.splice(0).map(({ keys }) => mark(keys)));
    },
    idle: () => batcher.idle(),
    get failure() {
      return missing[0]?.cause;
    },
  };
}
