import type { AccessLog, SignBatch } from './access-log/access-log.ts';
import type { AuditedRecord, AuditFinding, AuditProgress } from './audit/finding.ts';
import type { Category } from './category.ts';
import type { ErasedVersions } from './erasure/erased-commitments.ts';
import type { EraseTarget, ErasureRecord, VaultSigner } from './erasure/erasure-record.ts';
import type { Grants } from './keys/grants.ts';
import type { KeyProtector } from './keys/key-protector.ts';
import type { PendingCommitment, PutResult, RecordKey, RecordReader, SealedWrite } from './record.ts';
import type {
  Consents,
  EnrolmentCodes,
  GrantedConsents,
  PatientBindings,
  Pseudonyms,
  Settings,
  UsedIdentifiers,
} from './tables/tables.ts';

export type VaultOptions = {
  /** `sqlite:/path/to/vault.db` or `postgres://user@host/database`. */
  readonly url: string;
  /** Folder of the files that are not in the database: the access log. Created when absent. */
  readonly folder: string;
  readonly keys: KeyProtector;
  readonly signer: VaultSigner;
  readonly now: () => number;
  /** Cryptographic randomness: fills and returns. */
  readonly random: (length: number) => Uint8Array;
  readonly signBatch?: SignBatch;
  /** Opens a damaged vault all the same, for an audit: it then takes no writes to the log and is not sealed on close. */
  readonly tolerateDamage?: boolean;
  /** Refuses a database that holds no vault; otherwise one is made in it. */
  readonly mustExist?: boolean;
  /** An erasure met the damaged key with this number, and left it as it is. */
  readonly onDamagedKey?: (keyId: number) => void;
};

export type Vault = RecordReader & {
  /** Durable when it resolves; many concurrent puts share one disk flush. Throws AppError `conflict` when the version does not follow the current one. */
  put(write: SealedWrite): Promise<PutResult>;
  /** All or nothing; a later one may follow on an earlier one. Made ready before other writers have to wait. */
  putAll(writes: readonly SealedWrite[]): Promise<PutResult[]>;
  /** Oldest first. */
  pendingCommitments(limit?: number): Promise<PendingCommitment[]>;
  markAnchored(keys: readonly RecordKey[]): Promise<void>;
  /** Gives every category of the subject (or one) a new key for what is written from now on; grantees but `revoked` get it. */
  rotateEpoch(
    subject: string,
    options?: { readonly category?: Category; readonly revoked?: string },
  ): Promise<void>;
  /** Destroys content, keys, salts and index rows, here and in every backup taken before. */
  erase(target: EraseTarget): Promise<ErasureRecord>;
  /** Wraps every category key under a new root and destroys the old one; backups taken before cannot be opened any more. */
  rotateRoot(): Promise<void>;
  /** Walks everything and yields what is damaged or missing; tells each record version that opens. */
  audit(
    onProgress?: (progress: AuditProgress) => void,
    onRecord?: (record: AuditedRecord) => void,
  ): AsyncIterable<AuditFinding>;
  /** The commitments of all that was erased. Throws AppError `damaged`. */
  erased(): Promise<ErasedVersions[]>;
  /** How many anchored versions were erased so damaged that nobody could tell their commitments. */
  erasedUnknown(): Promise<number>;
  /** A consistent copy in a new folder, while the vault is in use. */
  backup(folder: string): Promise<void>;
  /** Throws AppError `conflict` when an erasure has destroyed the key of a backup since. */
  refuseShutBackup(folder: string): Promise<void>;
  readonly grants: Grants;
  readonly accessLog: AccessLog;
  readonly enrolmentCodes: EnrolmentCodes;
  readonly bindings: PatientBindings;
  readonly pseudonyms: Pseudonyms;
  readonly consents: Consents;
  readonly grantedConsents: GrantedConsents;
  readonly usedIdentifiers: UsedIdentifiers;
  readonly settings: Settings;
  /** Finishes what has begun, seals the files, and lets go. */
  close(): Promise<void>;
};
