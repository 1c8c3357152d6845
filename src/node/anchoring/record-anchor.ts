import { encodeCommitVersions, NO_PATIENT } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { readAccount } from '../../ledger/index.ts';
import { AppError } from '../../shared/index.ts';
import type { PatientBindings, PendingCommitment, Vault } from '../../vault/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import { createRetryTimer } from '../concurrency/retry-timer.ts';
import { type AccountSigner, EffectRefusedError } from '../ledger/account-signer.ts';
import { type AnchoredMarks, createAnchoredMarks } from './anchored-marks.ts';
import { createBatcher } from './batcher.ts';
import { createLeftOvers, type LeftOvers } from './left-overs.ts';

export const MAX_RECORDS_PER_TRANSACTION = 1000;
const MAX_WAITING_RECORDS = 100_000;
const CONFIRMATION_LIMIT_MS = 60_000;
/** How far back a start looks for what is on the ledger and was not marked before a crash. */
const LOOK_BACK_BLOCKS = 1000;

/** A version whose commitment goes on the ledger. */
export type VersionToAnchor = PendingCommitment;

/** Puts commitments of record versions on the ledger, many in one transaction. */
export interface RecordAnchor {
  /** Throws `busy` where so many versions wait for the ledger that no more may be stored. */
  ensureRoom(): void;
  /**
   * Resolves when every version's commitment is durable on the ledger. Rejects with `timeout` when that takes too long or the
   * ledger does not take it now; it is tried again all the same.
   */
  anchor(versions: readonly VersionToAnchor[]): Promise<void>;
  /**
   * Takes over what an earlier run left between vault and ledger; returns how many versions that were. Call before any is
   * written. Those in the last blocks were only not marked, and do not go there again.
   */
  takeOver(lookBackBlocks?: number): Promise<number>;
  /** Anchors now what is left over; rejects with why something still is. */
  anchorLeftOvers(): Promise<void>;
  /** Tries nothing again any more, and waits for what is under way. */
  stop(): Promise<void>;
  /** Versions that wait for their transaction. */
  readonly waiting: number;
  /** Versions that the ledger did not take when it was asked to, and that are tried again. */
  readonly leftOver: number;
}

interface Deps {
  engine: Pick<Engine, 'head' | 'blocks' | 'state'>;
  vault: Pick<Vault, 'pendingCommitments' | 'markAnchored'>;
  bindings: Pick<PatientBindings, 'byPatient'>;
  custodian: Pick<AccountSigner, 'accountId' | 'submit'>;
  onFailure: (cause: unknown) => void;
}

/** The queue in front of `records.commit-versions`. */
export function createRecordAnchor(deps: Deps): RecordAnchor {
  const { engine, vault, custodian, onFailure } = deps;
  const limits = { maxBatch: MAX_RECORDS_PER_TRANSACTION, maxWaiting: MAX_WAITING_RECORDS };
  const left = createLeftOvers(engine, custodian.accountId);
  const marks = createAnchoredMarks({
    ...limits,
    markAnchored: vault.markAnchored,
    onFailure: () => retry.due(),
  });
  const commit = createCommit(deps, left, marks);
  const leave = (versions: readonly VersionToAnchor[], cause: unknown, sinceHeight: number): void => {
    left.add(versions, cause, sinceHeight);
    onFailure(cause);
    retry.due();
  };
  const retry = createRetryTimer(async () => {
    await marks.again();
    await marks.make(await left.takeRecorded());
    const causes: unknown[] = [];
    const failed: Failed = (versions, cause) => {
      left.failed(versions, cause);
      if (versions.some(left.has)) causes.push(cause);
    };
    for (const batch of batchesOf(left.toTry())) await (await commit(batch, failed, 'again')).marked;
    const open = left.toTry();
    if (causes.length + open.length === 0 && marks.failure === undefined) return;
    const cause = causes[0] ?? left.causeOf(open) ?? marks.failure;
    onFailure(cause);
    throw cause;
  });
  const batcher = createBatcher<VersionToAnchor>({
    ...limits,
    async flush(batch) {
      const { height } = engine.head();
      const failed: Failed = (versions, cause) => leave(versions, cause, height);
      // Nobody who wrote waits for the marks.
      await commit(batch, failed, 'first').catch((cause) => failed(batch, cause));
    },
  });
  return {
    ensureRoom() {
      if (batcher.waiting + left.size < MAX_WAITING_RECORDS) return;
      throw new AppError(
        'busy',
        'Too many versions wait for the ledger. Nothing was stored: try again later.',
      );
    },
    async anchor(versions) {
      // What the queue refuses was never handed over.
      const refused = (cause: unknown): void => leave(versions, cause, engine.head().height);
      await withinLimit(batcher.add([...versions]).catch(refused));
      if (versions.some(left.has)) throw notConfirmed(left.causeOf(versions));
    },
    async takeOver(lookBackBlocks = LOOK_BACK_BLOCKS) {
      const pending = await vault.pendingCommitments(MAX_WAITING_RECORDS);
      left.add(pending, undefined, Math.max(0, engine.head().height - lookBackBlocks));
      return pending.length;
    },
    anchorLeftOvers: () => retry.now(),
    async stop() {
      await retry.stop();
      await batcher.idle();
      await marks.idle();
    },
    get waiting() {
      return batcher.waiting;
    },
    get leftOver() {
      return left.size;
    },
  };
}

type Failed = (versions: readonly VersionToAnchor[], cause: unknown) => void;

/**
 * Submits versions, one transaction an author, and gives what has to be waited for until those that the ledger took are marked.
 * What was submitted before may have been recorded though its submission failed: `again` lets nothing go there twice.
 */
function createCommit(
  { engine, bindings, custodian }: Deps,
  left: LeftOvers,
  marks: AnchoredMarks,
): (
  batch: VersionToAnchor[],
  failed: Failed,
  time: 'first' | 'again',
) => Promise<{ marked: Promise<unknown> }> {
  const refuseRecorded = async (versions: readonly VersionToAnchor[]): Promise<void> => {
    await marks.make(await left.takeRecorded());
    if (versions.some((version) => !left.has(version)))
      throw new AppError('conflict', 'It is there already.');
  };
  return async (batch, failed, time) => {
    const marking: Promise<void>[] = [];
    const pseudonyms = await pseudonymsOf(bindings, batch);
    /** Some arrived on the ledger while the others waited for their turn. */
    const submitRest = async (author: string | null, versions: VersionToAnchor[]): Promise<void> => {
      const rest = versions.filter(left.has);
      if (rest.length > 0) await submit(author, rest);
    };
    const submit = async (author: string | null, versions: VersionToAnchor[]): Promise<void> => {
      const parts = partsOf(author, versions, pseudonyms, custodian.accountId);
      const before = time === 'again' ? () => refuseRecorded(versions) : undefined;
      try {
        await custodian.submit('commit-versions', parts, before);
        left.remove(versions);
        marking.push(marks.make(versions));
      } catch (cause) {
        if (time === 'again' && !versions.every(left.has)) return submitRest(author, versions);
        if (versions.length === 1 || !isRefusalOfOne(cause)) return failed(versions, cause);
        // It holds up no other: the others were written by somebody else, who waits.
        const middle = Math.ceil(versions.length / 2);
        await submit(author, versions.slice(0, middle));
        await submit(author, versions.slice(middle));
      }
    };
    for (const [author, versions] of Map.groupBy(batch, (version) => vouchedBy(version, engine)))
      await submit(author, versions);
    return { marked: Promise.all(marking) };
  };
}

/** Whether the ledger recorded that it refuses one of the versions, where without that one it would take the rest. */
function isRefusalOfOne(cause: unknown): boolean {
  return cause instanceof EffectRefusedError && cause.resultName === 'unknown-pseudonym';
}

/** The author; null for the custodian, also where a ledger that was restored does not know the author any more. */
function vouchedBy({ author }: VersionToAnchor, { state }: Pick<Engine, 'state'>): string | null {
  return author !== null && readAccount(state, bytesOfHex(author)) !== undefined ? author : null;
}

function partsOf(
  author: string | null,
  versions: readonly VersionToAnchor[],
  pseudonyms: ReadonlyMap<string | null, Uint8Array>,
  custodian: Uint8Array,
): Uint8Array[] {
  return encodeCommitVersions({
    author: author === null ? custodian : bytesOfHex(author),
    authorSignature: null,
    entries: versions.map(({ subject, commitment }) => ({
      pseudonym: pseudonyms.get(subject) ?? NO_PATIENT,
      commitment,
    })),
  });
}

function batchesOf(versions: VersionToAnchor[]): VersionToAnchor[][] {
  const count = Math.ceil(versions.length / MAX_RECORDS_PER_TRANSACTION);
  return Array.from({ length: count }, (_, at) =>
    versions.slice(at * MAX_RECORDS_PER_TRANSACTION, (at + 1) * MAX_RECORDS_PER_TRANSACTION),
  );
}

/** On the embedded engine this never takes long; a consortium may be without its majority. */
async function withinLimit(anchored: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(notConfirmed(undefined)), CONFIRMATION_LIMIT_MS);
  try {
    await Promise.race([anchored, late.promise]);
  } finally {
    clearTimeout(timer);
    anchored.catch(() => undefined);
  }
}

/** The version is stored whatever the ledger said: who sends it again makes it twice. */
function notConfirmed(cause: unknown): AppError {
  if (cause instanceof AppError && cause.code === 'disk-full') {
    return new AppError(
      'disk-full',
      "The version is stored here, but the ledger's disk has no space left for its commitment. Free some: it is tried again. Do not send it again.",
      { cause },
    );
  }
  return new AppError(
    'timeout',
    'The version is stored here, and the ledger has not confirmed it yet. It will as soon as it can: do not send it again.',
    { cause },
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
