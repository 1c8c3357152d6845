/** One thing an audit or a check of a backup found. `note` is worth telling; `damage` means that bytes are not as written. */
export type Finding = {
  readonly severity: 'damage' | 'note';
  readonly code: FindingCode;
  readonly file: string;
  readonly offset?: number;
  readonly height?: number;
  readonly message: string;
};

export type FindingCode =
  | 'frame-damaged'
  | 'log-missing'
  | 'log-truncated'
  | 'log-tail'
  | 'head-damaged'
  | 'head-mismatch'
  | 'record-invalid'
  | 'genesis-mismatch'
  | 'signature-invalid'
  | 'checkpoint-invalid'
  | 'execution-differs'
  | 'index-differs'
  | 'torn-file'
  | 'manifest-damaged'
  | 'file-missing'
  | 'file-unlisted'
  | 'file-size'
  | 'chunk-damaged';

export function damage(
  code: FindingCode,
  file: string,
  message: string,
  place: { offset?: number; height?: number } = {},
): Finding {
  return { severity: 'damage', code, file, message, ...place };
}

export function note(
  code: FindingCode,
  file: string,
  message: string,
  place: { offset?: number; height?: number } = {},
): Finding {
  return { severity: 'note', code, file, message, ...place };
}
