import { encodeCommitVersions, NO_PATIENT } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { PatientBindings, PendingCommitment, RecordKey, Vault } from '../../vault/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';
import { createBatcher } from './batcher.ts';

export const MAX_RECORDS_PER_TRANSACTION = 1000;
const MAX_WAITING_RECORDS = 100_000;
const CONFIRMATION_LIMIT_MS = 60_000;

/** A version whose commitment goes on the ledger. */
export type VersionToAnchor = PendingCommitment;

/** Puts commitments of record versions on the ledger, many in one transaction. */
export interface RecordAnchor {
  /**
   * Resolves when every version's commitment is durable on the ledger. Rejects with `timeout` when that takes too long; it
   * goes on all the same.
   */
  anchor(versions: readonly VersionToAnchor[]): Promise<void>;
  /** Anchors what a crash left between vault and ledger; returns how many versions that were. */
  anchorPending(): Promise<number>;
  idle(): Promise<void>;
  readonly waiting: number;
}

interface Deps {
  vault: Pick<Vault, 'pendingCommitments' | 'markAnchored'>;
  bindings: Pick<PatientBindings, 'byPatient'>;
  custodian: AccountSigner;
}

/** The queue in front of `records.commit-versions`. */
export function createRecordAnchor(deps: Deps): RecordAnchor {
  const commit = async (batch: VersionToAnchor[]): Promise<void> => {
    const pseudonyms = await pseudonymsOf(deps.bindings, batch);
    for (const [author, versions] of Map.groupBy(batch, (version) => version.author)) {
      const entries = versions.map(({ subject, commitment }) => ({
        pseudonym: pseudonyms.get(subject) ?? NO_PATIENT,
        commitment,
      }));
      const payload = {
        author: author === null ? deps.custodian.accountId : bytesOfHex(author),
        authorSignature: null,
        entries,
      };
      await deps.custodian.submit('commit-versions', encodeCommitVersions(payload));
    }
  };
  const marks = createBatcher({
    maxBatch: MAX_RECORDS_PER_TRANSACTION,
    maxWaiting: MAX_WAITING_RECORDS,
    flush: deps.vault.markAnchored,
  });
  const mark = (batch: VersionToAnchor[]) => marks.add(batch.map(({ key }): RecordKey => key));
  const flush = async (batch: VersionToAnchor[]): Promise<void> => {
    await commit(batch);
    // Nobody waits for the mark: a version without it goes on the ledger once more at the next start, as after a crash.
    mark(batch).catch(() => undefined);
  };
  const batcher = createBatcher({
    maxBatch: MAX_RECORDS_PER_TRANSACTION,
    maxWaiting: MAX_WAITING_RECORDS,
    flush,
  });
  return {
    anchor: (versions) => withinLimit(batcher.add([...versions])),
    async anchorPending() {
      let total = 0;
      for (;;) {
        const pending = await deps.vault.pendingCommitments(MAX_RECORDS_PER_TRANSACTION);
        if (pending.length === 0) return total;
        await commit(pending);
        await mark(pending);
        total += pending.length;
      }
    },
    async idle() {
      await batcher.idle();
      await marks.idle();
    },
    get waiting() {
      return batcher.waiting;
    },
  };
}

/** On the embedded engine this never takes long; a consortium may be without its majority. */
async function withinLimit(anchored: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(notConfirmed()), CONFIRMATION_LIMIT_MS);
  try {
    await Promise.race([anchored, late.promise]);
  } finally {
    clearTimeout(timer);
    anchored.catch(() => undefined);
  }
}

function notConfirmed(): AppError {
  return new AppError(
    'timeout',
    'The version is stored here, and the ledger has not confirmed it yet. It will as soon as it can: do not send it again.',
  );
}

/** The pseudonym of each subject in the batch; a patient without a wallet has none yet. */
async function pseudonymsOf(
  bindings: Deps['bindings'],
  batch: VersionToAnchor[],
): Promise<Map<string | null, Uint8Array>> {
  const pseudonyms = new Map<string | null, Uint8Array>();
  for (const subject of new Set(batch.map((version) => version.subject))) {
    const binding = subject === null ? undefined : await bindings.byPatient(subject);
    if (binding !== undefined) pseudonyms.set(subject, bytesOfHex(binding.accountId));
  }
  return pseudonyms;
}
