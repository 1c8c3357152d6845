/** An entry to be logged; `bytes` is the AuditEvent as JSON. */
export type AccessEntryWrite = { readonly subject: string | null; readonly bytes: Uint8Array };

/** What a signature over a batch covers. */
export type AccessBatch = {
  /** RFC 9162 root over the leaf hashes of this batch only. */
  readonly root: Uint8Array;
  readonly firstLeafIndex: number;
  readonly size: number;
};

/** Signs a batch; called after the batch is durable, once for all its entries. */
export type SignBatch = (batch: AccessBatch) => Uint8Array;

/** Durable, and what proves it: the entry is in the batch, the batch is signed. */
export type AccessReceipt = {
  readonly leafIndex: number;
  readonly leafHash: Uint8Array;
  readonly batch: AccessBatch;
  /** Inclusion of leaf (leafIndex - batch.firstLeafIndex) in a tree of batch.size leaves. */
  readonly batchPath: readonly Uint8Array[];
  /** Empty when no signer was given. */
  readonly batchSignature: Uint8Array;
};

export type AccessEntry = {
  readonly leafIndex: number;
  readonly leafHash: Uint8Array;
  /** The bytes that the leaf is a hash of: leafHash(frame). */
  readonly frame: Uint8Array;
  /** undefined when the patient's audit key was erased. */
  readonly bytes: Uint8Array | undefined;
};

export type AccessAnchor = { readonly size: number; readonly root: Uint8Array; readonly height: number };

/** The custodian's log of every decision: encrypted entries, an RFC 9162 tree over them, and what of it is anchored. */
export type AccessLog = {
  /** Resolves when the entry is durable. */
  append(entry: AccessEntryWrite): Promise<AccessReceipt>;
  readonly size: number;
  root(size?: number): Uint8Array;
  inclusionProof(leafIndex: number, size?: number): Uint8Array[];
  consistencyProof(fromSize: number, toSize?: number): Uint8Array[];
  entry(leafIndex: number): Promise<AccessEntry | undefined>;
  /** A patient's entries, newest first. `beforeLeafIndex` pages on. */
  listBySubject(
    subject: string,
    page?: { readonly beforeLeafIndex?: number; readonly limit?: number },
  ): Promise<AccessEntry[]>;
  countBySubject(subject: string): number;
  /** The largest anchored size, its root, and the ledger height of the anchor. */
  anchored(): Promise<AccessAnchor | undefined>;
  /** The first anchor that covers a leaf. */
  anchorOf(leafIndex: number): Promise<AccessAnchor | undefined>;
  markAnchored(anchor: AccessAnchor): Promise<void>;
  /** How many bytes of an unfinished write the start has set aside. */
  readonly tornBytes: number;
};
