import type { SealedCopy } from '../shared/index.ts';
import type { Category } from './category.ts';
import type { IndexToken, TokenExpression } from './index-tokens/token.ts';

/** One version of one resource. */
export type RecordKey = {
  readonly resourceType: string;
  readonly id: string;
  /** 1, 2, 3 …: the version before must exist and be the current one. */
  readonly version: number;
};

/** A version to be sealed and stored. */
export type SealedWrite = {
  readonly key: RecordKey;
  /** The id of the Patient in whose compartment it is; null for none. */
  readonly subject: string | null;
  /** Every sensitivity label; all are kept, the category of highest rank chooses the key. */
  readonly labels: readonly string[];
  /** Overrides the category that `labels` give, for labels that a custodian has added. */
  readonly category?: Category;
  readonly lastUpdatedMs: number;
  /** A tombstone: kept in the history, found by no search but one that asks for it. */
  readonly deleted: boolean;
  /** Canonical JSON of the resource; for a tombstone it may be empty. */
  readonly plaintext: Uint8Array;
  /** Plain values: the vault keeps only keyed hashes of them. They may be made when they are asked for: ask once. */
  readonly tokens: readonly IndexToken[];
  /** Account id (hex) of the author, when one is known. */
  readonly author?: string;
};

export type PutResult = { readonly key: RecordKey; readonly commitment: Uint8Array };

/** What is known of a version before it is decrypted, so that a decision can come first. */
export type SealedRecord = {
  readonly key: RecordKey;
  readonly subject: string | null;
  readonly labels: readonly string[];
  readonly category: Category;
  readonly lastUpdatedMs: number;
  readonly deleted: boolean;
  readonly author: string | null;
  readonly commitment: Uint8Array;
  /**
   * Decrypts (authenticated: a changed byte does not open) and returns the plaintext. A `sealed` record needs `categoryKey`, which only the
   * patient can recover (openSealedKey). Throws AppError `record-sealed`, `erased` or `damaged`.
   */
  open(unlock?: { readonly categoryKey: Uint8Array }): Promise<Uint8Array>;
  /** As `open`, with the salt; checks both against the commitment. For receipts that disclose this version. */
  disclose(unlock?: {
    readonly categoryKey: Uint8Array;
  }): Promise<{ readonly salt: Uint8Array; readonly plaintext: Uint8Array }>;
  /**
   * What the patient's wallet opens a `sealed` version with, elsewhere; a version that is not sealed has none. Throws AppError
   * `invalid-request`, `erased` or `damaged`.
   */
  sealedCopy(): Promise<SealedCopy>;
};

/** Where the page before ended. Order: lastUpdatedMs descending, then resource type, then id ascending. */
export type FindCursor = {
  readonly lastUpdatedMs: number;
  readonly resourceType: string;
  readonly id: string;
};

/** A search over current versions. */
export type FindQuery = {
  /** One type or more. Tokens match within each type. */
  readonly types: readonly string[];
  readonly where?: TokenExpression;
  readonly ids?: readonly string[];
  /** Tombstones too, by the tokens that they were put with. */
  readonly withDeleted?: boolean;
  /** null stands for records without a subject. `allow` absent: all; `deny` wins. */
  readonly subjects?: {
    readonly allow?: readonly (string | null)[];
    readonly deny?: readonly (string | null)[];
  };
  /** Inclusive from, exclusive before. */
  readonly lastUpdated?: { readonly fromMs?: number; readonly beforeMs?: number };
  readonly after?: FindCursor;
  /** At most MAX_FIND_LIMIT; 100 when absent. */
  readonly limit?: number;
};

export type HistoryQuery = {
  readonly resourceType: string;
  /** Absent: the history of the type. */
  readonly id?: string;
  readonly sinceMs?: number;
  readonly beforeMs?: number;
  /** The last version on the page before. Order: lastUpdatedMs descending, id ascending, version descending. */
  readonly after?: { readonly lastUpdatedMs: number; readonly id: string; readonly version: number };
  readonly limit?: number;
};

/** What a reader can ask for. */
export type RecordReader = {
  /** The current version, also when it is a tombstone; undefined when there is none. */
  read(resourceType: string, id: string): Promise<SealedRecord | undefined>;
  readVersion(key: RecordKey): Promise<SealedRecord | undefined>;
  history(query: HistoryQuery): Promise<SealedRecord[]>;
  find(query: FindQuery): Promise<SealedRecord[]>;
  /** The newest versions about a patient that are sealed to the wallet, superseded ones and tombstones too; at most a thousand. */
  listSealed(subject: string): Promise<SealedRecord[]>;
  /** How many `find` would return over all pages. */
  count(query: FindQuery): Promise<number>;
};

/** A version whose commitment is not on the ledger yet. */
export type PendingCommitment = {
  readonly key: RecordKey;
  readonly subject: string | null;
  readonly commitment: Uint8Array;
  readonly author: string | null;
};

export const MAX_FIND_LIMIT = 10_000;
