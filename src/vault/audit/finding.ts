/** One damaged or missing piece: which, where, and what is wrong with it. No content. */
export type AuditFinding = {
  readonly kind: 'file' | 'database' | 'record' | 'index' | 'key' | 'table' | 'access-log';
  /** A file and offset, or a table and row. */
  readonly where: string;
  readonly what: string;
  /** Nothing is damaged, and somebody should know all the same. */
  readonly severity?: 'note';
};

export type AuditProgress = { readonly stage: string; readonly done: number };

/** A version whose metadata opens: the name the audit has for it, and what the ledger must have of it. */
export type AuditedRecord = {
  readonly where: string;
  readonly commitment: Uint8Array;
  readonly anchored: boolean;
};
