import { decodeCommitVersions } from '../../contracts/index.ts';
import type { Engine, RecordedBlock } from '../../engine/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';
import type { PendingCommitment } from '../../vault/index.ts';
import { EffectRefusedError } from '../ledger/account-signer.ts';
import { effectiveTransactions } from '../ledger/effective-transactions.ts';

/** Versions that are stored and that the ledger did not take. */
export interface LeftOvers {
  /** `sinceHeight`: the ledger's height before it was first asked to take them. */
  add(versions: readonly PendingCommitment[], cause: unknown, sinceHeight: number): void;
  /** Why those of them that are left were not taken this time. */
  failed(versions: readonly PendingCommitment[], cause: unknown): void;
  remove(versions: readonly PendingCommitment[]): void;
  has(version: PendingCommitment): boolean;
  /** Why the first of these that is left was not taken. */
  causeOf(versions: readonly PendingCommitment[]): unknown;
  /** Those to try again: what the ledger recorded a refusal of, it would refuse and record again. */
  toTry(): PendingCommitment[];
  /**
   * Takes out and gives those that are on the ledger after all: where an answer got lost, a transaction may have been recorded
   * though its submission failed.
   */
  takeRecorded(): Promise<PendingCommitment[]>;
  readonly size: number;
}

export function createLeftOvers(engine: Pick<Engine, 'blocks'>, custodian: Uint8Array): LeftOvers {
  const left = new Map<string, { version: PendingCommitment; cause: unknown }>();
  /** No block up to here has one of them. */
  let searchedHeight = Number.POSITIVE_INFINITY;

  const remove = (versions: readonly PendingCommitment[]): void => {
    for (const version of versions) left.delete(keyOf(version));
    if (left.size === 0) searchedHeight = Number.POSITIVE_INFINITY;
  };
  const recordedAfter = async (fromHeight: number): Promise<Set<string>> => {
    const recorded = new Set<string>();
    // What is left over while the blocks are read has a height of its own.
    searchedHeight = Number.POSITIVE_INFINITY;
    let height = fromHeight;
    try {
      for await (const found of engine.blocks(fromHeight + 1)) {
        for (const key of commitmentsIn(found, custodian)) recorded.add(key);
        height = found.block.height;
      }
    } catch (cause) {
      height = fromHeight;
      throw cause;
    } finally {
      searchedHeight = Math.min(searchedHeight, height);
    }
    return recorded;
  };
  return {
    add(versions, cause, sinceHeight) {
      searchedHeight = Math.min(searchedHeight, sinceHeight);
      for (const version of versions) left.set(keyOf(version), { version, cause });
    },
    failed(versions, cause) {
      for (const version of versions)
        if (left.has(keyOf(version))) left.set(keyOf(version), { version, cause });
    },
    remove,
    has: (version) => left.has(keyOf(version)),
    causeOf(versions) {
      const first = versions.find((version) => left.has(keyOf(version)));
      return first && left.get(keyOf(first))?.cause;
    },
    toTry: () =>
      [...left.values()]
        .filter(({ cause }) => !(cause instanceof EffectRefusedError))
        .map(({ version }) => version),
    async takeRecorded() {
      if (left.size === 0) return [];
      const recorded = await recordedAfter(searchedHeight);
      const found = [...left].filter(([key]) => recorded.has(key)).map(([, { version }]) => version);
      remove(found);
      return found;
    },
    get size() {
      return left.size;
    },
  };
}

/** A commitment is salted: no two versions have the same. */
function keyOf({ commitment }: PendingCommitment): string {
  return toHex(commitment);
}

function commitmentsIn(recorded: RecordedBlock, custodian: Uint8Array): string[] {
  return [...effectiveTransactions(recorded, 'commit-versions')].flatMap(({ transaction }) => {
    if (!equalBytes(transaction.header.signer, custodian)) return [];
    const batch = decodeCommitVersions(transaction.parts);
    return batch.ok ? batch.value.entries.map(({ commitment }) => toHex(commitment)) : [];
  });
}
