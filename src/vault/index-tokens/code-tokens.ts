import { type IndexToken, presentToken, type TokenExpression } from './token.ts';

/** Tokens of a coded value (Coding, Identifier, code, boolean): by code, by system, by both, and by code without a system. */
export function tokensForCode(
  param: string,
  value: { readonly system?: string; readonly code?: string },
): IndexToken[] {
  const tokens = [presentToken(param)];
  if (value.code !== undefined) tokens.push({ param, kind: 'code', value: value.code });
  if (value.system !== undefined) tokens.push({ param, kind: 'code-system', value: value.system });
  if (value.code !== undefined) {
    tokens.push({ param, kind: 'code-in-system', value: JSON.stringify([value.system ?? '', value.code]) });
  }
  return tokens;
}

/** `code`: system undefined; `|code`: system '' (no system); `system|code`; `system|`: code undefined (R4 search, "token"). */
export function queryTokensForCode(
  param: string,
  value: { readonly system?: string; readonly code?: string },
): TokenExpression {
  const { system, code } = value;
  if (code === undefined) return { token: { param, kind: 'code-system', value: system ?? '' } };
  if (system === undefined) return { token: { param, kind: 'code', value: code } };
  return { token: { param, kind: 'code-in-system', value: JSON.stringify([system, code]) } };
}

/** One value compared as a whole: a reference (`Patient/1`), a URI, a composite that the caller has joined. */
export function exactToken(param: string, kind: string, value: string): IndexToken {
  return { param, kind, value };
}
