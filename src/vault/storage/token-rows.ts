/** The bytes of one token in the index. */
export const TOKEN_BYTES = 16;
export const TOKEN_COLUMNS: readonly string[] = ['token', 'rid'];

/** A record and all its tokens, one after the other. */
export type IndexedRecord = { readonly rid: number; readonly tokens: Uint8Array };

export function splitTokens(tokens: Uint8Array): Uint8Array[] {
  const split: Uint8Array[] = [];
  for (let at = 0; at < tokens.length; at += TOKEN_BYTES) split.push(tokens.subarray(at, at + TOKEN_BYTES));
  return split;
}
