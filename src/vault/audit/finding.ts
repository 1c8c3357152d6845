/** One damaged or missing piece: which, where, and what is wrong with it. No content. */
export type AuditFinding = {
  readonly kind: 'file' | 'database' | 'record' | 'index' | 'key' | 'table' | 'access-log';
  /** A file and offset, or a table and row. */
  readonly where: string;
  readonly what: string;
};

export type AuditProgress = { readonly stage: string; readonly done: number };
